from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

async def run_in_threadpool(func: Callable[..., T], *args: Any, **kwargs: Any) -> T: ...
