"""Behaviours 18 and 19 on asyncio: awaitables that a cancellation leaves to their end.

Needs no Twisted; see test_imports, which runs this module without it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import Callable, Generator
from typing import Any

import pytest

from logctx_lint.runtime.cancellation import delay_cancellation, stop_cancellation
from logctx_lint.runtime.context import (
    SENTINEL_CONTEXT,
    LoggingContext,
    current_context,
)

from .loops import rest, run_on

# --- 18: stop_cancellation


async def cancelled(task: asyncio.Future[Any]) -> bool:
    await asyncio.wait([task])
    return task.cancelled()


def awaitables(
    loop: asyncio.AbstractEventLoop, event: asyncio.Event, ended: list[str]
) -> list[Callable[[], Any]]:
    """A future, a task, a coroutine, another awaitable: each waits for the event."""

    async def work() -> int:
        await rest(event.wait())
        ended.append("original")
        return 3

    class Other:
        def __await__(self) -> Generator[Any, Any, int]:
            return (yield from work().__await__())

    def future() -> asyncio.Future[int]:
        made: asyncio.Future[int] = loop.create_future()

        def resolve(_: object) -> None:
            ended.append("original")
            made.set_result(3)

        loop.create_task(event.wait()).add_done_callback(resolve)
        return made

    return [future, lambda: loop.create_task(work()), work, Other]


KINDS = ["future", "task", "coroutine", "other"]


@pytest.mark.parametrize("kind", range(4), ids=KINDS)
def test_stopped_waiter_is_cancelled_at_once_and_the_original_runs_on(
    loop: asyncio.AbstractEventLoop, kind: int
) -> None:
    async def main() -> None:
        event, ended = asyncio.Event(), list[str]()
        waiter = asyncio.ensure_future(stop_cancellation(awaitables(loop, event, ended)[kind]()))
        await asyncio.sleep(0)
        waiter.cancel()
        waiter.cancel()
        assert await cancelled(waiter)
        assert ended == []
        event.set()
        for _ in range(5):
            await asyncio.sleep(0)
        assert ended == ["original"]

    run_on(loop, main)


@pytest.mark.parametrize("kind", range(4), ids=KINDS)
@pytest.mark.parametrize("shield", [stop_cancellation, delay_cancellation])
def test_shielded_waiter_gets_the_result(
    each_storage: str, loop: asyncio.AbstractEventLoop, kind: int, shield: Callable[[Any], Any]
) -> None:
    async def main() -> None:
        event, ended = asyncio.Event(), list[str]()
        loop.call_soon(event.set)
        assert await shield(awaitables(loop, event, ended)[kind]()) == 3

    run_on(loop, main)


@pytest.mark.parametrize("shield", [stop_cancellation, delay_cancellation])
def test_shielded_waiter_gets_the_failure(
    loop: asyncio.AbstractEventLoop, shield: Callable[[Any], Any]
) -> None:
    async def fail() -> None:
        raise KeyError

    async def main() -> None:
        with pytest.raises(KeyError):
            await shield(fail())

    run_on(loop, main)


@pytest.mark.parametrize("shield", [stop_cancellation, delay_cancellation])
def test_the_original_s_own_cancellation_passes(
    loop: asyncio.AbstractEventLoop, shield: Callable[[Any], Any]
) -> None:
    async def main() -> None:
        original: asyncio.Future[None] = loop.create_future()
        waiter = asyncio.ensure_future(shield(original))
        await asyncio.sleep(0)
        original.cancel()
        assert await cancelled(waiter)

    run_on(loop, main)


@pytest.mark.parametrize("shield", [stop_cancellation, delay_cancellation])
def test_later_failure_is_consumed(
    loop: asyncio.AbstractEventLoop, shield: Callable[[Any], Any]
) -> None:
    """The loop's fixture fails the test when asyncio logs it as never retrieved."""

    async def main() -> None:
        original: asyncio.Future[None] = loop.create_future()
        waiter = asyncio.ensure_future(shield(original))
        await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.sleep(0)
        original.set_exception(KeyError())
        assert await cancelled(waiter)
        del original
        gc.collect()

    run_on(loop, main)


# --- 19: delay_cancellation


@pytest.mark.parametrize("kind", range(4), ids=KINDS)
def test_delayed_waiter_waits_and_is_then_cancelled(
    each_storage: str, loop: asyncio.AbstractEventLoop, kind: int, reports: list[str]
) -> None:
    async def main() -> None:
        event, ended = asyncio.Event(), list[str]()
        seen: list[object] = []

        async def request() -> None:
            with LoggingContext("main") as context:
                try:
                    await delay_cancellation(awaitables(loop, event, ended)[kind]())
                except asyncio.CancelledError:
                    seen.append((ended.copy(), current_context() is context))
                    raise

        waiter = asyncio.ensure_future(request())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert current_context() is SENTINEL_CONTEXT
        for _ in range(2):
            waiter.cancel()
            await asyncio.sleep(0)
            assert not waiter.done()
        assert (seen, ended) == ([], [])
        event.set()
        assert await cancelled(waiter)
        assert seen == [(["original"], True)]

    run_on(loop, main)
    assert reports == []


def test_delayed_cancellation_keeps_its_message(loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> None:
        original: asyncio.Future[None] = loop.create_future()
        caught: list[asyncio.CancelledError] = []

        async def request() -> None:
            try:
                await delay_cancellation(original)
            except asyncio.CancelledError as error:
                caught.append(error)
                raise

        waiter = asyncio.ensure_future(request())
        await asyncio.sleep(0)
        waiter.cancel("first")
        await asyncio.sleep(0)
        waiter.cancel("second")
        await asyncio.sleep(0)
        original.set_result(None)
        assert await cancelled(waiter)
        assert [error.args for error in caught] == [("first",)]

    run_on(loop, main)


def test_outside_of_a_loop_there_is_nothing_to_drive_a_coroutine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work() -> None: ...

    # With Twisted in use, Twisted would drive it: see test_cancellation.
    monkeypatch.delitem(sys.modules, "twisted.internet.defer", raising=False)
    coroutine = work()
    with contextlib.closing(coroutine), pytest.raises(RuntimeError):
        stop_cancellation(coroutine)
