from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")

def run(afn: Callable[..., Awaitable[T]], *args: Any) -> T: ...
def run_sync(fn: Callable[..., T], *args: Any) -> T: ...
