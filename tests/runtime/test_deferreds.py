"""Behaviours 11 and 12: yieldable Deferreds, background work."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet import defer
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock

from logctx_lint.runtime.context import (
    SENTINEL_CONTEXT,
    LoggingContext,
    PreserveLoggingContext,
    current_context,
    set_current_context,
)
from logctx_lint.runtime.deferreds import (
    make_deferred_yieldable,
    preserve_fn,
    run_coroutine_in_background,
    run_in_background,
)

from .deferred_helpers import Ready, Waiting, result_of, sleep
from .helpers import LogLines, logger


class Counted(Deferred[int]):
    """A Deferred that counts the callbacks added to it."""

    added = 0

    def addCallbacks(self, *args: Any, **kwargs: Any) -> Any:
        self.added += 1
        return super().addCallbacks(*args, **kwargs)

    def addBoth(self, *args: Any, **kwargs: Any) -> Any:
        self.added += 1
        return super().addBoth(*args, **kwargs)


# --- 11: make_deferred_yieldable


def test_complete_deferred_is_returned_and_the_context_kept(each_storage: str) -> None:
    complete = Counted()
    complete.callback(1)
    with LoggingContext("main") as main:
        assert make_deferred_yieldable(complete) is complete
        assert current_context() is main
    assert complete.added == 0


def test_incomplete_deferred_clears_the_context_and_restores_it_before_callbacks() -> None:
    raw: Deferred[int] = Deferred()
    seen: list[object] = []
    with LoggingContext("main") as main, PreserveLoggingContext(main):
        yieldable = make_deferred_yieldable(raw)
        assert yieldable is raw
        assert current_context() is SENTINEL_CONTEXT
        yieldable.addCallback(lambda result: seen.append((result, current_context())))
        raw.callback(3)
        assert seen == [(3, main)]
        assert current_context() is main


def test_failure_restores_the_context_too() -> None:
    raw: Deferred[int] = Deferred()
    seen: list[object] = []
    with LoggingContext("main") as main:
        make_deferred_yieldable(raw).addErrback(
            lambda failure: seen.append((failure.type, current_context()))
        )
        raw.errback(KeyError())
        assert seen == [(KeyError, main)]


def test_paused_deferred_counts_as_incomplete() -> None:
    """Called, but waiting for another Deferred that its callback returned."""
    inner: Deferred[int] = Deferred()
    outer = defer.succeed(None)
    outer.addCallback(lambda _: inner)
    assert outer.called
    seen: list[object] = []
    with LoggingContext("main") as main:
        make_deferred_yieldable(outer).addCallback(lambda r: seen.append((r, current_context())))
        assert current_context() is SENTINEL_CONTEXT
        inner.callback(5)
        assert seen == [(5, main)]


def test_plain_value_becomes_a_fired_deferred(each_storage: str) -> None:
    with LoggingContext("main") as main:
        assert result_of(make_deferred_yieldable(7)) == 7
        assert current_context() is main


def test_complete_coroutine_is_driven(each_storage: str) -> None:
    async def work() -> int:
        return 5

    with LoggingContext("main") as main:
        assert result_of(make_deferred_yieldable(work())) == 5
        assert current_context() is main


def test_incomplete_coroutine_is_driven_first(each_storage: str, clock: Clock) -> None:
    ran: list[str] = []

    async def work() -> int:
        ran.append("begun")
        await sleep(clock)
        return 5

    seen: list[object] = []

    async def caller() -> None:
        with LoggingContext("main") as main:
            yieldable = make_deferred_yieldable(work())
            assert ran == ["begun"]
            result = await yieldable
            seen.append((result, current_context() is main))

    ensureDeferred(caller())
    assert current_context() is SENTINEL_CONTEXT
    clock.advance(1)
    assert seen == [(5, True)]


def test_other_awaitables_are_driven(each_storage: str) -> None:
    assert result_of(make_deferred_yieldable(Ready(4))) == 4


def test_contextvar_storage_returns_the_argument(contextvar_storage: None) -> None:
    raw = Counted()
    with LoggingContext("main") as main:
        assert make_deferred_yieldable(raw) is raw
        assert current_context() is main
    assert raw.added == 0


def test_awaiting_keeps_the_context_across_the_reactor(
    each_storage: str, clock: Clock, lines: LogLines, reports: list[str]
) -> None:
    async def handle(name: str, seconds: float) -> None:
        with LoggingContext(name):
            logger.info("starting")
            await sleep(clock, seconds)
            logger.info("finished")

    for name, seconds in (("one", 2), ("two", 1)):
        ensureDeferred(handle(name, seconds))
        assert current_context() is SENTINEL_CONTEXT
    clock.advance(1)
    clock.advance(1)
    assert lines == ["one: starting", "two: starting", "two: finished", "one: finished"]
    assert reports == []


# --- 12: run_in_background


def test_background_keeps_the_caller_s_context(
    each_storage: str, clock: Clock, reports: list[str]
) -> None:
    seen: list[str] = []

    async def work(*args: object, **kwargs: object) -> tuple[object, object]:
        seen.append(str(current_context()))
        await sleep(clock)
        seen.append(str(current_context()))
        return args, kwargs

    main = LoggingContext("main")
    with PreserveLoggingContext(main):
        deferred = run_in_background(work, 1, key=2)
        assert current_context() is main
    clock.advance(1)
    assert current_context() is SENTINEL_CONTEXT
    assert seen == ["main", "main"]
    assert result_of(deferred) == ((1,), {"key": 2})
    assert reports == []


def test_background_resets_to_the_sentinel_for_whoever_runs_next(
    each_storage: str, clock: Clock
) -> None:
    async def work() -> None:
        await sleep(clock)

    with LoggingContext("main"):
        run_in_background(work)
    seen: list[object] = []
    clock.callLater(1, lambda: seen.append(current_context()))
    clock.advance(1)
    assert seen == [SENTINEL_CONTEXT]


def test_synchronous_exception_becomes_a_failed_deferred(each_storage: str) -> None:
    def work() -> Deferred[None]:
        set_current_context(SENTINEL_CONTEXT)  # breaks the rules, too
        raise KeyError("at once")

    with LoggingContext("main") as main:
        deferred = run_in_background(work)
        assert current_context() is main
    failure = result_of(deferred)
    assert failure.type is KeyError


def test_synchronous_exception_keeps_its_traceback(each_storage: str) -> None:
    def the_culprit() -> None:
        raise KeyError

    failure = result_of(run_in_background(the_culprit))
    assert "the_culprit" in failure.getTraceback()


def test_base_exceptions_pass(each_storage: str) -> None:
    def work() -> None:
        set_current_context(SENTINEL_CONTEXT)
        raise KeyboardInterrupt

    with LoggingContext("main") as main:
        with pytest.raises(KeyboardInterrupt):
            run_in_background(work)
        assert current_context() is main


def test_background_takes_a_plain_value(each_storage: str) -> None:
    assert result_of(run_in_background(lambda: 3)) == 3


def test_background_drives_other_awaitables(each_storage: str) -> None:
    raw: Deferred[int] = Deferred()
    ready: Deferred[object] = run_in_background(lambda: Ready(3))
    assert result_of(ready) == 3
    with LoggingContext("main") as main:
        waiting: Deferred[int] = run_in_background(lambda: Waiting(raw))
        assert current_context() is main
    raw.callback(4)
    assert result_of(waiting) == 4


def test_complete_deferred_gets_no_callback(each_storage: str) -> None:
    complete = Counted()
    complete.callback(3)
    with LoggingContext("main") as main:
        assert run_in_background(lambda: complete) is complete
        assert current_context() is main
    assert complete.added == 0


def test_paused_deferred_gets_its_callback() -> None:
    inner: Deferred[None] = Deferred()
    outer = defer.succeed(None)
    outer.addCallback(lambda _: inner)
    main = LoggingContext("main")
    with PreserveLoggingContext(main):
        run_in_background(lambda: outer)
    with PreserveLoggingContext():
        set_current_context(main)
        inner.callback(None)
        assert current_context() is SENTINEL_CONTEXT


def test_failed_coroutine_is_a_failed_deferred(each_storage: str) -> None:
    async def work() -> None:
        raise KeyError

    assert result_of(run_in_background(work)).type is KeyError


def test_run_coroutine_in_background(each_storage: str, clock: Clock) -> None:
    async def work() -> str:
        await sleep(clock)
        return str(current_context())

    main = LoggingContext("main")
    with PreserveLoggingContext(main):
        deferred = run_coroutine_in_background(work())
        assert current_context() is main
    clock.advance(1)
    assert result_of(deferred) == "main"


def test_preserve_fn_wraps_run_in_background(each_storage: str, clock: Clock) -> None:
    async def work(value: int) -> int:
        await sleep(clock)
        return value

    with LoggingContext("main") as main:
        deferred = preserve_fn(work)(4)
        assert current_context() is main
        with PreserveLoggingContext():
            clock.advance(1)
        assert result_of(deferred) == 4
