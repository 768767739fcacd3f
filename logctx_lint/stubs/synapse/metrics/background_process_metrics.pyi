from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")

# Newer versions have the server's name between the two.
def run_as_background_process(
    desc: str, func: Callable[..., Awaitable[T] | T], *args: Any, **kwargs: Any
) -> Deferred[T | None]: ...
def wrap_as_background_process(
    desc: str,
) -> Callable[[Callable[..., Awaitable[T]]], Callable[..., Deferred[T | None]]]: ...
