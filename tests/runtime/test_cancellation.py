"""Behaviours 18 and 19: stopping and delaying a cancellation, the Twisted half."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from logctx_lint.runtime.cancellation import delay_cancellation, stop_cancellation
from logctx_lint.runtime.context import (
    SENTINEL_CONTEXT,
    LoggingContext,
    PreserveLoggingContext,
    current_context,
    set_current_context,
)

from .deferred_helpers import Outcomes, Ready, Waiting, result_of, sleep


class Lazily:
    """An awaitable that starts when it is awaited, like a coroutine, which it is not."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self.work = work

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield from self.work().__await__())


# --- 18: stop_cancellation


def test_stopped_waiter_fails_at_once_and_the_original_runs_on(outcomes: Outcomes) -> None:
    original: Deferred[int] = Deferred()
    waiter = stop_cancellation(original)
    assert waiter is not original
    outcomes.watch(waiter)
    waiter.cancel()
    assert outcomes == [CancelledError]
    assert not original.called
    original.callback(1)


def test_stopped_waiter_gets_the_result(outcomes: Outcomes) -> None:
    original: Deferred[int] = Deferred()
    outcomes.watch(stop_cancellation(original))
    original.callback(1)
    assert outcomes == [1]


def test_stopped_waiter_cancelled_twice(outcomes: Outcomes) -> None:
    original: Deferred[int] = Deferred()
    waiter = stop_cancellation(original)
    outcomes.watch(waiter)
    waiter.cancel()
    waiter.cancel()
    assert outcomes == [CancelledError]
    original.callback(1)


def test_the_original_s_own_cancellation_passes(outcomes: Outcomes, nothing_unhandled: Any) -> None:
    original: Deferred[int] = Deferred()
    outcomes.watch(stop_cancellation(original))
    original.cancel()
    assert outcomes == [CancelledError]
    del original
    nothing_unhandled()


def test_later_failure_of_a_stopped_original_is_consumed(
    outcomes: Outcomes, nothing_unhandled: Any
) -> None:
    original: Deferred[int] = Deferred()
    waiter = stop_cancellation(original)
    outcomes.watch(waiter)
    waiter.cancel()
    original.errback(KeyError())
    del original, waiter
    nothing_unhandled()
    assert outcomes == [CancelledError]


def test_stopped_waiters_of_one_original_all_get_its_result(outcomes: Outcomes) -> None:
    original: Deferred[int] = Deferred()
    waiters = [stop_cancellation(original) for _ in range(3)]
    for waiter in waiters:
        outcomes.watch(waiter)
    waiters[0].cancel()
    original.callback(5)
    assert outcomes == [CancelledError, 5, 5]


def test_stopped_waiters_of_one_original_all_get_its_failure(
    outcomes: Outcomes, nothing_unhandled: Any
) -> None:
    original: Deferred[int] = Deferred()
    for _ in range(2):
        outcomes.watch(stop_cancellation(original))
    original.errback(KeyError())
    outcomes.watch(stop_cancellation(original))
    assert outcomes == [KeyError, KeyError, KeyError]
    del original
    nothing_unhandled()


def test_stop_cancellation_drives_coroutines(
    each_storage: str, clock: Clock, outcomes: Outcomes
) -> None:
    ended: list[str] = []

    async def work() -> int:
        await sleep(clock)
        ended.append("original")
        return 3

    waiter: Any = stop_cancellation(work())
    outcomes.watch(waiter)
    waiter.cancel()
    assert (outcomes, ended) == ([CancelledError], [])
    clock.advance(1)
    assert ended == ["original"]


# --- 19: delay_cancellation


def test_delayed_waiter_waits_and_is_then_cancelled(outcomes: Outcomes) -> None:
    original: Deferred[int] = Deferred()
    waiter = delay_cancellation(original)
    outcomes.watch(waiter)
    waiter.cancel()
    assert outcomes == []
    assert not original.called
    original.callback(1)
    assert outcomes == [CancelledError]


def test_delayed_waiter_is_cancelled_whatever_came(
    outcomes: Outcomes, nothing_unhandled: Any
) -> None:
    original: Deferred[int] = Deferred()
    waiter = delay_cancellation(original)
    outcomes.watch(waiter)
    waiter.cancel()
    original.errback(KeyError())
    assert outcomes == [CancelledError]
    del original, waiter
    nothing_unhandled()


def test_delayed_waiter_gets_the_result_or_failure(outcomes: Outcomes) -> None:
    for outcome in (1, Failure(KeyError())):  # type: ignore[no-untyped-call]
        original: Deferred[int] = Deferred()
        outcomes.watch(delay_cancellation(original))
        original.callback(outcome)
    assert outcomes == [1, KeyError]


def test_second_cancel_of_a_delayed_waiter_changes_nothing(outcomes: Outcomes) -> None:
    original: Deferred[int] = Deferred()
    waiter = delay_cancellation(original)
    outcomes.watch(waiter)
    waiter.cancel()
    waiter.cancel()
    assert outcomes == []
    original.callback(1)
    assert outcomes == [CancelledError]
    waiter.cancel()
    assert outcomes == [CancelledError]


def test_delayed_waiter_hands_cancellation_on_to_what_its_callback_waits_for(
    outcomes: Outcomes,
) -> None:
    original: Deferred[int] = Deferred()
    waiter = delay_cancellation(original)
    inner: Deferred[int] = Deferred()
    waiter.addCallback(lambda _: inner)
    outcomes.watch(waiter)
    original.callback(1)
    waiter.cancel()
    assert outcomes == [CancelledError]


def test_the_original_s_own_cancellation_passes_the_delay(outcomes: Outcomes) -> None:
    original: Deferred[int] = Deferred()
    outcomes.watch(delay_cancellation(original))
    original.cancel()
    assert outcomes == [CancelledError]


@pytest.mark.parametrize("kind", ["coroutine", "awaitable"])
def test_delay_cancellation_drives_coroutines_and_other_awaitables(
    each_storage: str, clock: Clock, kind: str, reports: list[str]
) -> None:
    ended: list[str] = []
    seen: list[object] = []

    async def work() -> None:
        await sleep(clock)
        ended.append(str(current_context()))

    async def request() -> None:
        with LoggingContext("main") as main:
            awaitable: Any = work() if kind == "coroutine" else Lazily(work)
            try:
                await delay_cancellation(awaitable)
            except CancelledError:
                seen.append((ended.copy(), current_context() is main))
                raise

    deferred = ensureDeferred(request())
    assert current_context() is SENTINEL_CONTEXT
    deferred.cancel()
    deferred.cancel()
    assert seen == []
    clock.advance(1)
    assert seen == [(["main"], True)]
    assert result_of(deferred).type is CancelledError
    assert current_context() is SENTINEL_CONTEXT
    assert reports == []


def test_complete_coroutine_keeps_the_context(each_storage: str) -> None:
    async def work() -> int:
        return 3

    with LoggingContext("main") as main:
        waiter: Any = delay_cancellation(work())
        assert current_context() is main
        assert result_of(waiter) == 3
        assert result_of(delay_cancellation(Ready(4))) == 4  # type: ignore[arg-type]


def test_errback_runs_in_the_waiter_s_context() -> None:
    """Even when the coroutine ends in another one, and the cancellation came from a third."""
    raw: Deferred[None] = Deferred()
    seen: list[object] = []

    async def against_the_rules() -> None:
        await raw

    with LoggingContext("main") as main:
        waiter: Any = delay_cancellation(against_the_rules())
        assert current_context() is SENTINEL_CONTEXT
        waiter.addErrback(lambda failure: seen.append((failure.type, current_context())))
        with PreserveLoggingContext():
            waiter.cancel()
        assert seen == []
        set_current_context(LoggingContext("whoever fires it"))
        raw.callback(None)
        assert seen == [(CancelledError, main)]


def test_delay_of_something_that_has_already_cleared_the_context(
    each_storage: str, clock: Clock, reports: list[str]
) -> None:
    seen: list[object] = []

    async def request() -> None:
        with LoggingContext("main") as main:
            await delay_cancellation(Waiting(sleep(clock)))
            seen.append(current_context() is main)

    ensureDeferred(request())
    clock.advance(1)
    assert seen == [True]
    assert reports == []


def test_cancelled_waiter_of_a_yieldable_deferred_ends_in_its_own_context(
    each_storage: str, clock: Clock, reports: list[str]
) -> None:
    seen: list[object] = []

    async def request() -> None:
        with LoggingContext("main") as main:
            try:
                await delay_cancellation(sleep(clock))
            finally:
                seen.append(current_context() is main)

    deferred = ensureDeferred(request())
    deferred.cancel()
    assert seen == []
    clock.advance(1)
    assert seen == [True]
    assert result_of(deferred).type is CancelledError
    assert reports == []
