from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import (
    IConnector,
    IDelayedCall,
    IReactorCore,
    IReactorPluggableNameResolver,
    IReactorPluggableResolver,
    IReactorThreads,
    IReactorTime,
)
from twisted.python.threadpool import ThreadPool

class DelayedCall(IDelayedCall):
    func: Callable[..., Any]
    args: tuple[Any, ...]
    kw: dict[str, Any]
    time: float
    called: bool
    cancelled: bool

class ReactorBase(
    IReactorCore,
    IReactorTime,
    IReactorThreads,
    IReactorPluggableResolver,
    IReactorPluggableNameResolver,
):
    threadpool: ThreadPool | None
    def wakeUp(self) -> None: ...
    def doIteration(self, delay: float | None) -> None: ...
    def runUntilCurrent(self) -> None: ...
    def disconnectAll(self) -> None: ...
    def callLater(
        self, delay: float, callable: Callable[..., Any], *args: Any, **kw: Any
    ) -> DelayedCall: ...

class BaseConnector(IConnector):
    state: str
    host: Any
    port: Any
    factory: Any
    transport: Any
