from collections.abc import Coroutine, Generator
from typing import Any, Callable, ParamSpec, TypeVar

from twisted.internet.defer import Deferred

P = ParamSpec("P")
T = TypeVar("T")

def blockon(d: Deferred[T]) -> T: ...
def block_from_thread(d: Deferred[T]) -> T: ...
def inlineCallbacks(
    function: Callable[P, Generator[Any, Any, T]],
) -> Callable[P, Deferred[T]]: ...
def ensureDeferred(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Deferred[T]]: ...
