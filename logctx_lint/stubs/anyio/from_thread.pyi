from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")

def run(func: Callable[..., Awaitable[T]], *args: Any) -> T: ...
def run_sync(func: Callable[..., T], *args: Any) -> T: ...
