"""What the programs of the seed documents take for granted."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock

from logctx_lint.runtime import storage
from logctx_lint.runtime.context import (
    LoggingContext,
)
from logctx_lint.runtime.deferreds import (
    make_deferred_yieldable,
)

from .helpers import logger

P = ParamSpec("P")
R = TypeVar("R")


def returns_deferred(f: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Deferred[R]]:
    @functools.wraps(f)
    def starts(*args: P.args, **kwargs: P.kwargs) -> Deferred[R]:
        return ensureDeferred(f(*args, **kwargs))

    return starts


class Service:
    """What the examples take for granted: operations that take a second each, by the rules."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.background_steps: list[str] = []

    def get_sleep_deferred(self, seconds: float) -> Deferred[None]:
        # not a logcontext-rules-compliant function
        d: Deferred[None] = Deferred()
        self.clock.callLater(seconds, d.callback, None)
        return d

    async def sleep(self, seconds: float) -> None:
        return await make_deferred_yieldable(self.get_sleep_deferred(seconds))

    async def foreground_operation(self) -> None:
        await self.sleep(1)

    @returns_deferred
    async def background_operation(self) -> None:
        await self.sleep(1)
        logger.debug("Completed first step")
        await self.sleep(1)
        logger.debug("Completed second step")

    @returns_deferred
    async def operation(self, value: int) -> int:
        await self.sleep(value)
        logger.debug("operation %d", value)
        return value

    def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1)


def request(
    handler: Callable[[], Coroutine[Any, Any, Any]], name: str = "request"
) -> Deferred[Any]:
    """Run a handler in a log context of its own, as a server does."""

    async def handle_request() -> Any:
        with LoggingContext(name):
            return await handler()

    return ensureDeferred(handle_request())


def clear_up() -> None:
    storage.store(storage.SENTINEL_CELL)
