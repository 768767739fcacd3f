from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.threadpool import ThreadPool

T = TypeVar("T")

# What runs in a thread is not waited for there: a coroutine or Deferred would be the result.
def deferToThread(f: Callable[..., T], *args: Any, **kwargs: Any) -> Deferred[T]: ...
def deferToThreadPool(
    reactor: IReactorFromThreads,
    threadpool: ThreadPool,
    f: Callable[..., T],
    *args: Any,
    **kwargs: Any,
) -> Deferred[T]: ...
def callMultipleInThread(tupleList: Iterable[Any]) -> None: ...
def blockingCallFromThread(
    reactor: IReactorFromThreads, f: Callable[..., Deferred[T] | T], *a: Any, **kw: Any
) -> T: ...
