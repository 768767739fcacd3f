from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

async def run_sync(sync_fn: Callable[..., T], *args: Any, **kwargs: Any) -> T: ...
