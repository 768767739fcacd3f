from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

async def to_thread(func: Callable[..., T], /, *args: Any, **kwargs: Any) -> T: ...
