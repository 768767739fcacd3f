from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

R = TypeVar("R")

# Without the function it gives a decorator, of which this says nothing.

def database_sync_to_async(
    func: Callable[..., R], *, thread_sensitive: bool = True, executor: Executor | None = None
) -> Callable[..., Coroutine[Any, Any, R]]: ...
