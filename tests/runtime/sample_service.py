"""A small service with mistakes in it, of the kinds that really happen, and without them.

It stores messages and tells subscribers; each operation takes a second of the clock's time.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import Clock

from logctx_lint.runtime.cancellation import delay_cancellation
from logctx_lint.runtime.deferreds import (
    make_deferred_yieldable,
    run_as_background_process,
    run_in_background,
)

logger = logging.getLogger("app")


class Messages:
    """The service as it should be."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.stored: list[str] = []

    async def query(self) -> None:
        answered: Deferred[None] = Deferred()
        self.clock.callLater(1, lambda: None if answered.called else answered.callback(None))
        await make_deferred_yieldable(answered)

    async def store(self, message: str) -> None:
        await self.query()
        self.stored.append(message)
        await self.query()

    async def notify(self, message: str) -> None:
        await self.query()
        logger.info("told everybody of %s", message)

    async def post(self, message: str) -> str:
        try:
            await self.store(message)
        except CancelledError:
            raise
        except Exception:
            logger.exception("could not store")
            return "sorry"
        run_as_background_process("notify", self.notify, message)
        await self.query()
        return "posted"


class SwallowsCancellation(Messages):
    async def post(self, message: str) -> str:
        try:
            await self.store(message)
        except Exception:
            return "sorry"
        await self.query()
        return "posted"


class TurnsCancellationIntoAnError(Messages):
    async def post(self, message: str) -> str:
        try:
            await self.store(message)
        except Exception as error:
            raise RuntimeError("could not store") from error
        return "posted"


class GetsStuck(Messages):
    """Waits for something that will never happen once the query has been cancelled."""

    async def post(self, message: str) -> str:
        stored: Deferred[None] = Deferred()

        async def store() -> None:
            await self.store(message)
            stored.callback(None)

        storing = run_in_background(store)
        storing.addErrback(lambda _: None)
        stored.addErrback(lambda _: storing.cancel())
        await delay_cancellation(make_deferred_yieldable(Deferred()))
        return "posted"


class OutlivesItsContext(Messages):
    async def post(self, message: str) -> str:
        run_in_background(self.notify, message)
        await self.store(message)
        return "posted"


class AwaitsRawDeferred(Messages):
    async def query(self) -> None:
        answered: Deferred[None] = Deferred()
        self.clock.callLater(1, lambda: None if answered.called else answered.callback(None))
        await answered


class LosesItsContext(Messages):
    async def post(self, message: str) -> str:
        ensureDeferred(self.notify(message))  # not in the background
        return "posted"


class RetriesForEver(Messages):
    async def post(self, message: str) -> str:
        while True:
            try:
                await self.store(message)
                return "posted"
            except Exception:
                logger.info("once more")


class AsyncioMessages:
    """The same on asyncio."""

    def __init__(self) -> None:
        self.stored: list[str] = []

    async def query(self) -> None:
        await asyncio.sleep(0)

    async def post(self, message: str) -> str:
        await self.query()
        try:
            await self.query()
        finally:
            self.stored.append(message)
        return "posted"


class AsyncioSwallows(AsyncioMessages):
    async def post(self, message: str) -> str:
        await self.query()
        try:
            await self.query()
        except BaseException:
            return "sorry"
        return "posted"


class AsyncioGetsStuck(AsyncioMessages):
    async def post(self, message: str) -> str:
        await self.query()
        never: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        await delay_cancellation(never)
        return "posted"
