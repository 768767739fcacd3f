"""Behaviours 20 and 21: several waiters for one Deferred, and several Deferreds for one waiter."""

from __future__ import annotations

import contextvars
import logging
from typing import Any

import pytest
from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from logctx_lint.runtime.context import (
    SENTINEL_CONTEXT,
    LoggingContext,
    current_context,
)
from logctx_lint.runtime.deferreds import (
    ObservableDeferred,
    concurrently_execute,
    gather_optional_coroutines,
    make_deferred_yieldable,
    maybe_awaitable,
    run_in_background,
    timeout_deferred,
    unwrapFirstError,
    yieldable_gather_results,
)

from .deferred_helpers import Outcomes, Ready, result_of, sleep

# --- 20: ObservableDeferred


def test_observers_all_get_the_result_in_order(outcomes: Outcomes) -> None:
    original: Deferred[int] = Deferred()
    observable = ObservableDeferred(original)
    told: list[int] = []

    def tell(result: int, number: int) -> None:
        told.append(number)

    for number in range(3):
        observable.observe().addCallback(tell, number)
    original.callback(5)
    assert told == [0, 1, 2]
    outcomes.watch(original)
    assert outcomes == [5]


def test_cancelling_one_observer_removes_only_that_one(outcomes: Outcomes) -> None:
    original: Deferred[int] = Deferred()
    observable = ObservableDeferred(original)
    first, second, third = (observable.observe() for _ in range(3))
    for observer in (first, second, third):
        outcomes.watch(observer)
    second.cancel()
    assert outcomes == [CancelledError]
    assert list(observable.observers()) == [first, third]
    assert not original.called
    original.callback(5)
    assert outcomes == [CancelledError, 5, 5]


def test_cancelling_the_original_reaches_all_observers(outcomes: Outcomes) -> None:
    original: Deferred[int] = Deferred()
    observable = ObservableDeferred(original, consumeErrors=True)
    for _ in range(2):
        outcomes.watch(observable.observe())
    original.cancel()
    assert outcomes == [CancelledError, CancelledError]


def test_observer_that_raises_does_not_disturb_the_others(outcomes: Outcomes) -> None:
    original: Deferred[int] = Deferred()
    observable = ObservableDeferred(original)
    raising = observable.observe()
    raising.addCallback(lambda _: 1 / 0)
    outcomes.watch(raising)
    outcomes.watch(observable.observe())
    original.callback(5)
    assert outcomes == [ZeroDivisionError, 5]
    assert observable.get_result() == 5


def test_observer_fired_by_somebody_else_does_not_disturb_the_others(
    outcomes: Outcomes, caplog: pytest.LogCaptureFixture
) -> None:
    original: Deferred[int] = Deferred()
    observable = ObservableDeferred(original)
    observable.observe().callback(1)
    outcomes.watch(observable.observe())
    original.callback(5)
    assert outcomes == [5]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_late_observers_get_the_result_at_once(outcomes: Outcomes) -> None:
    observable = ObservableDeferred(defer.succeed(5))
    outcomes.watch(observable.observe())
    failed: ObservableDeferred[int] = ObservableDeferred(defer.fail(KeyError()), True)
    outcomes.watch(failed.observe())
    assert outcomes == [5, KeyError]


def test_observer_added_while_observers_are_told_gets_the_result(outcomes: Outcomes) -> None:
    original: Deferred[int] = Deferred()
    observable = ObservableDeferred(original)
    observable.observe().addCallback(lambda _: outcomes.watch(observable.observe()))
    original.callback(5)
    assert outcomes == [5]


def test_consume_errors(outcomes: Outcomes, nothing_unhandled: Any) -> None:
    original: Deferred[int] = Deferred()
    observable = ObservableDeferred(original, consumeErrors=True)
    outcomes.watch(observable.observe())
    original.errback(KeyError())
    outcomes.watch(original)
    assert outcomes == [KeyError, None]
    del original, observable
    nothing_unhandled()


def test_without_consume_errors_the_failure_goes_on(outcomes: Outcomes) -> None:
    original: Deferred[int] = Deferred()
    observable = ObservableDeferred(original)
    outcomes.watch(observable.observe())
    original.errback(KeyError())
    outcomes.watch(original)
    assert outcomes == [KeyError, KeyError]


def test_state_of_an_observable() -> None:
    original: Deferred[int] = Deferred()
    observable = ObservableDeferred(original)
    assert (observable.has_called(), observable.has_succeeded()) == (False, False)
    assert "waiting" in repr(observable)
    with pytest.raises(ValueError, match="no result yet"):
        observable.get_result()
    original.callback(5)
    assert (observable.has_called(), observable.has_succeeded()) == (True, True)
    assert observable.get_result() == 5
    assert "result=5" in repr(observable)
    failed: ObservableDeferred[int] = ObservableDeferred(defer.fail(KeyError()), True)
    assert (failed.has_called(), failed.has_succeeded()) == (True, False)
    result = failed.get_result()
    assert isinstance(result, Failure)
    assert result.type is KeyError


def test_every_observer_sees_where_the_failure_came_from(each_storage: str, clock: Clock) -> None:
    async def the_culprit() -> None:
        await sleep(clock)
        raise KeyError

    observable = ObservableDeferred(run_in_background(the_culprit), consumeErrors=True)

    async def wait() -> None:
        await make_deferred_yieldable(observable.observe())

    waiters = [run_in_background(wait) for _ in range(2)]
    clock.advance(1)
    for waiter in waiters:
        assert "the_culprit" in result_of(waiter).getTraceback()


# --- 21: gathering


def test_unwrap_first_error(outcomes: Outcomes) -> None:
    gathered = defer.gatherResults([defer.fail(KeyError())], consumeErrors=True)
    outcomes.watch(gathered.addErrback(unwrapFirstError))
    other: Deferred[int] = defer.fail(ValueError())
    outcomes.watch(other.addErrback(unwrapFirstError))
    assert outcomes == [KeyError, ValueError]


def test_gathered_results_are_in_the_order_of_the_items(
    each_storage: str, clock: Clock, reports: list[str]
) -> None:
    async def work(item: int, *args: object, **kwargs: object) -> object:
        await sleep(clock, 10 - item)
        return item, args, kwargs, str(current_context())

    async def request() -> object:
        with LoggingContext("main") as main:
            results = await yieldable_gather_results(work, [1, 2], "arg", key="word")
            assert current_context() is main
            return results

    deferred = ensureDeferred(request())
    for _ in range(10):
        clock.advance(1)
    assert result_of(deferred) == [
        (1, ("arg",), {"key": "word"}, "main"),
        (2, ("arg",), {"key": "word"}, "main"),
    ]
    assert current_context() is SENTINEL_CONTEXT
    assert reports == []


def test_gathering_raises_the_first_error_itself(each_storage: str, clock: Clock) -> None:
    async def the_culprit(item: int) -> None:
        await sleep(clock, item)
        raise KeyError(item)

    deferred = ensureDeferred(yieldable_gather_results(the_culprit, [2, 1]))
    clock.advance(1)
    clock.advance(1)
    failure = result_of(deferred)
    assert failure.type is KeyError
    assert failure.value.args == (1,)
    # raise ... from None: no FirstError in sight
    assert failure.value.__suppress_context__
    assert failure.value.__cause__ is None


def test_gathered_failure_shows_where_it_came_from(each_storage: str, clock: Clock) -> None:
    async def the_culprit(item: int) -> None:
        await sleep(clock)
        raise KeyError

    deferred = ensureDeferred(yieldable_gather_results(the_culprit, [1]))
    clock.advance(1)
    assert "the_culprit" in result_of(deferred).getTraceback()


def test_cancelling_a_gathering_reaches_every_child(
    each_storage: str, clock: Clock, nothing_unhandled: Any
) -> None:
    cancelled: list[int] = []

    async def work(item: int) -> None:
        try:
            await sleep(clock)
        except CancelledError:
            cancelled.append(item)
            raise

    deferred = ensureDeferred(yieldable_gather_results(work, [1, 2, 3]))
    deferred.cancel()
    assert cancelled == [1, 2, 3]
    assert result_of(deferred).type is CancelledError
    nothing_unhandled()


def test_gathering_nothing() -> None:
    assert result_of(ensureDeferred(yieldable_gather_results(sleep, []))) == []


def test_optional_coroutines_keep_none_in_place(each_storage: str, clock: Clock) -> None:
    async def work(value: object) -> object:
        await sleep(clock)
        return value

    deferred = ensureDeferred(
        gather_optional_coroutines(None, work(1), None, work(None), work("x"), None)
    )
    clock.advance(1)
    assert result_of(deferred) == (None, 1, None, None, "x", None)


def test_optional_coroutines_raise_and_cancel_like_the_others(
    each_storage: str, clock: Clock
) -> None:
    cancelled: list[str] = []

    async def fail() -> None:
        raise KeyError

    async def work(name: str) -> None:
        try:
            await sleep(clock)
        except CancelledError:
            cancelled.append(name)
            raise

    assert result_of(ensureDeferred(gather_optional_coroutines(None, fail()))).type is KeyError
    deferred = ensureDeferred(gather_optional_coroutines(work("a"), None, work("b")))
    deferred.cancel()
    assert cancelled == ["a", "b"]
    assert result_of(deferred).type is CancelledError


# --- concurrently_execute, maybe_awaitable, timeout_deferred


def test_concurrently_execute_keeps_to_its_limit(
    each_storage: str, clock: Clock, reports: list[str]
) -> None:
    running: list[int] = []
    most: list[int] = []
    done: list[tuple[int, str]] = []

    async def work(item: int) -> None:
        running.append(item)
        most.append(len(running))
        await sleep(clock)
        running.remove(item)
        done.append((item, str(current_context())))

    async def request() -> None:
        with LoggingContext("main"):
            await concurrently_execute(work, range(7), limit=3)

    deferred = ensureDeferred(request())
    for _ in range(3):
        clock.advance(1)
    assert result_of(deferred) is None
    assert max(most) == 3
    assert sorted(done) == [(item, "main") for item in range(7)]
    assert reports == []


def test_concurrently_execute_takes_plain_functions_and_few_arguments(each_storage: str) -> None:
    seen: list[int] = []
    result_of(ensureDeferred(concurrently_execute(seen.append, [1, 2], limit=10)))
    result_of(ensureDeferred(concurrently_execute(seen.append, [], limit=10)))
    assert seen == [1, 2]


def test_concurrently_execute_raises(each_storage: str) -> None:
    async def fail(item: int) -> None:
        raise KeyError(item)

    assert result_of(ensureDeferred(concurrently_execute(fail, [1], 1))).type is KeyError
    assert result_of(ensureDeferred(concurrently_execute(fail, [1], 0))).type is ValueError


@pytest.mark.parametrize("delay", [False, True])
def test_concurrently_execute_can_delay_cancellation(
    each_storage: str, clock: Clock, delay: bool
) -> None:
    ended: list[str] = []

    async def work(item: int) -> None:
        try:
            await sleep(clock)
        except CancelledError:
            ended.append("cancelled")
            raise
        ended.append("done")

    deferred = ensureDeferred(concurrently_execute(work, [1], 1, delay_cancellation=delay))
    deferred.cancel()
    assert ended == ([] if delay else ["cancelled"])
    clock.advance(1)
    assert ended == (["done"] if delay else ["cancelled"])
    assert result_of(deferred).type is CancelledError


def test_maybe_awaitable() -> None:
    async def work() -> int:
        return 1

    for value, expected in ((2, 2), (work(), 1), (defer.succeed(3), 3), (Ready(4), 4)):
        assert result_of(ensureDeferred(maybe_awaitable(value))) == expected


def test_timeout_cancels_the_original(each_storage: str, clock: Clock, outcomes: Outcomes) -> None:
    cancelled: list[str] = []
    original: Deferred[int] = Deferred(lambda _: cancelled.append("original"))
    outcomes.watch(timeout_deferred(original, 2, clock))
    clock.advance(1)
    assert outcomes == []
    clock.advance(1)
    assert outcomes == [defer.TimeoutError]
    assert cancelled == ["original"]


def test_timeout_does_not_wait_for_an_original_that_ignores_it(
    clock: Clock, outcomes: Outcomes, nothing_unhandled: Any
) -> None:
    original: Deferred[int] = Deferred()
    original.addErrback(lambda _: Deferred())
    outcomes.watch(timeout_deferred(deferred=original, timeout=2, clock=clock))
    clock.advance(2)
    assert outcomes == [defer.TimeoutError]
    nothing_unhandled()


def test_timeout_survives_a_canceller_that_raises(clock: Clock, outcomes: Outcomes) -> None:
    def canceller(_: object) -> None:
        raise ZeroDivisionError

    original: Deferred[int] = Deferred(canceller)
    outcomes.watch(timeout_deferred(original, 2, clock))
    clock.advance(2)
    assert outcomes == [defer.TimeoutError]


def test_in_time_there_is_no_timeout(clock: Clock, outcomes: Outcomes) -> None:
    for outcome in (1, Failure(KeyError())):  # type: ignore[no-untyped-call]
        original: Deferred[int] = Deferred()
        outcomes.watch(timeout_deferred(original, 2, clock))
        original.callback(outcome)
    assert outcomes == [1, KeyError]
    assert clock.getDelayedCalls() == []


def test_cancelling_before_the_timeout_cancels_the_original(
    clock: Clock, outcomes: Outcomes
) -> None:
    original: Deferred[int] = Deferred()
    waiter = timeout_deferred(original, 2, clock)
    outcomes.watch(waiter)
    waiter.cancel()
    assert original.called
    assert outcomes == [CancelledError]
    assert clock.getDelayedCalls() == []


class AsyncioReactorClock(Clock):
    """Runs what is called later in the context variables of now, as Twisted's reactor on asyncio
    does."""

    def callLater(  # type: ignore[override]
        self, when: float, callable: Any, *args: Any, **kwargs: Any
    ) -> Any:
        variables = contextvars.copy_context()
        return super().callLater(when, variables.run, callable, *args, **kwargs)


def test_timer_runs_under_the_sentinel(each_storage: str, reports: list[str]) -> None:
    clock = AsyncioReactorClock()
    seen: list[object] = []
    original: Deferred[int] = Deferred(lambda _: seen.append(current_context()))
    with LoggingContext("main"):
        waiter = timeout_deferred(original, 2, clock)
        waiter.addErrback(lambda _: None)
    clock.advance(2)
    assert seen == [SENTINEL_CONTEXT]
    assert reports == []


class ClockWithContexts(Clock):
    """Runs what is called later in a log context of its own, and notes which one that leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.left: list[str] = []

    def callLater(  # type: ignore[override]
        self, when: float, callable: Any, *args: Any, **kwargs: Any
    ) -> Any:
        def in_context() -> None:
            with LoggingContext("timer"):
                callable(*args, **kwargs)
                self.left.append(str(current_context()))

        return super().callLater(when, in_context)


def test_timer_keeps_its_own_context(each_storage: str, reports: list[str]) -> None:
    clock = ClockWithContexts()
    original: Deferred[int] = Deferred()

    async def wait() -> None:
        with pytest.raises(defer.TimeoutError):
            await make_deferred_yieldable(timeout_deferred(original, 2, clock))

    with LoggingContext("main"):
        waiting = run_in_background(wait)
        clock.advance(2)
    assert result_of(waiting) is None
    assert clock.left == ["timer"]
    assert reports == []
