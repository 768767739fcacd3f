"""Locks with a key, for Twisted and for asyncio: whoever waits is told by what it runs on.

Both hand over in the order of arrival, wake the next one outside of the log context of the one
before, and lose no turn when somebody is cancelled while waiting.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from .cancellation import delay_cancellation
from .context import PreserveLoggingContext
from .futures import in_task, make_future_yieldable

__all__ = ["Linearizer", "ReadWriteLock"]


class _Waiter:
    """Somebody who wants the lock, or has it."""

    def __init__(self, writes: bool = False) -> None:
        self.writes = writes
        self.granted = False
        self._signal: Any = None  # a future or a Deferred, once it has to wait

    async def wait(self, cancel_at_once: bool = True) -> None:
        if self.granted:
            return
        if in_task():
            self._signal = asyncio.get_running_loop().create_future()
            await make_future_yieldable(
                self._signal if cancel_at_once else delay_cancellation(self._signal)
            )
            return
        from twisted.internet.defer import Deferred

        from .deferreds import make_deferred_yieldable

        self._signal = Deferred()
        await make_deferred_yieldable(
            self._signal if cancel_at_once else delay_cancellation(self._signal)
        )

    def wake(self) -> None:
        signal = self._signal
        if signal is None:
            return
        if asyncio.isfuture(signal):
            if not signal.done():
                signal.set_result(None)
        else:
            with PreserveLoggingContext():  # it runs now, and in its own context
                signal.callback(None)


class _Waking:
    """Wakes one after the other. Whoever is woken on Twisted runs at once, and may wake others in
    turn; those have to wait, or a long queue would exhaust the stack."""

    def __init__(self) -> None:
        self._granted: deque[_Waiter] = deque()
        self._busy = False

    def grant(self, waiter: _Waiter) -> None:
        waiter.granted = True
        self._granted.append(waiter)
        if self._busy:
            return
        self._busy = True
        try:
            while self._granted:
                self._granted.popleft().wake()
        finally:
            self._busy = False


class Linearizer:
    """Lets only ``max_count`` at a time do something for the same key.

    ::

        async with linearizer.queue(key):
            ...

    ``clock`` is accepted for Synapse's sake.
    """

    def __init__(self, name: str = "", clock: Any = None, max_count: int = 1) -> None:
        if max_count < 1:
            raise ValueError(f"max_count must be at least 1, not {max_count}")
        self.name = name
        self.max_count = max_count
        self._waking = _Waking()
        self._holding: dict[Hashable, int] = {}
        self._queues: dict[Hashable, OrderedDict[_Waiter, None]] = {}

    def is_queued(self, key: Hashable) -> bool:
        """Whether somebody waits for this key."""
        return key in self._queues

    def queue(self, key: Hashable) -> AbstractAsyncContextManager[None]:
        """Wait for one's turn, and hold it for the block."""
        return self._queue(key)

    @asynccontextmanager
    async def _queue(self, key: Hashable) -> AsyncIterator[None]:
        await self._acquire(key)
        try:
            yield
        finally:
            self._release(key)

    async def _acquire(self, key: Hashable) -> None:
        holding = self._holding.get(key, 0)
        if holding < self.max_count:
            self._holding[key] = holding + 1
            return
        waiter = _Waiter()
        self._queues.setdefault(key, OrderedDict())[waiter] = None
        try:
            await waiter.wait()
        except BaseException:
            if waiter.granted:  # cancelled after its turn had come
                self._release(key)
            else:
                self._leave(key, waiter)
            raise

    def _leave(self, key: Hashable, waiter: _Waiter) -> None:
        queue = self._queues[key]
        del queue[waiter]
        if not queue:
            del self._queues[key]

    def _release(self, key: Hashable) -> None:
        queue = self._queues.get(key)
        if queue:
            following = next(iter(queue))  # takes over the turn: the count stays
            self._leave(key, following)
            self._waking.grant(following)
        elif self._holding[key] == 1:
            del self._holding[key]
        else:
            self._holding[key] -= 1


class ReadWriteLock:
    """For each key many readers at a time, or one writer, in the order in which they came.

    ::

        async with lock.read(key):
            ...

    A writer that is cancelled while it waits keeps its place, and gets its CancelledError when its
    turn has come; a reader gets it at once.
    """

    def __init__(self) -> None:
        self._waking = _Waking()
        self._queues: dict[Hashable, OrderedDict[_Waiter, None]] = {}  # with those who hold it

    def read(self, key: Hashable) -> AbstractAsyncContextManager[None]:
        return self._hold(key, _Waiter())

    def write(self, key: Hashable) -> AbstractAsyncContextManager[None]:
        return self._hold(key, _Waiter(writes=True))

    @asynccontextmanager
    async def _hold(self, key: Hashable, waiter: _Waiter) -> AsyncIterator[None]:
        queue = self._queues.setdefault(key, OrderedDict())
        queue[waiter] = None
        try:
            self._hand_over(queue)
            await waiter.wait(cancel_at_once=not waiter.writes)
            yield
        finally:
            del queue[waiter]
            if not queue:
                del self._queues[key]
            self._hand_over(queue)

    def _hand_over(self, queue: OrderedDict[_Waiter, None]) -> None:
        """Grant the lock to whoever may have it now: the first writer, or the readers before."""
        first = next(iter(queue), None)
        if first is not None and first.writes:
            allowed = [first]
        else:
            allowed = list(itertools.takewhile(lambda waiter: not waiter.writes, queue))
        for waiter in allowed:
            if not waiter.granted:
                self._waking.grant(waiter)
