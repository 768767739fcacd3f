"""Behaviours 1 to 4: entering, leaving, finishing. See also test_nested_contexts and test_usage."""

from __future__ import annotations

import gc
import logging
import weakref

import pytest

from logctx_lint.runtime import context
from logctx_lint.runtime.context import (
    SENTINEL_CONTEXT,
    LogContextError,
    LoggingContext,
    PreserveLoggingContext,
    configure,
    current_context,
    set_current_context,
)

from .helpers import in_thread

# --- 1: set_current_context


def test_default_is_the_falsy_sentinel(each_storage: str) -> None:
    assert current_context() is SENTINEL_CONTEXT
    assert not SENTINEL_CONTEXT
    assert str(SENTINEL_CONTEXT) == SENTINEL_CONTEXT.name == "sentinel"


def test_set_returns_the_previous_context(each_storage: str) -> None:
    one, two = LoggingContext("one"), LoggingContext("two")
    assert set_current_context(one) is SENTINEL_CONTEXT
    assert set_current_context(two) is one
    assert current_context() is two
    assert set_current_context(SENTINEL_CONTEXT) is two
    assert current_context() is SENTINEL_CONTEXT


def test_none_is_a_type_error(each_storage: str) -> None:
    with pytest.raises(TypeError):
        set_current_context(None)  # type: ignore[arg-type]
    assert current_context() is SENTINEL_CONTEXT


def test_new_thread_sees_the_sentinel(each_storage: str) -> None:
    with LoggingContext("main"):
        assert in_thread(current_context) is SENTINEL_CONTEXT
        assert str(current_context()) == "main"


def test_setting_the_current_context_does_nothing(each_storage: str, reports: list[str]) -> None:
    one = LoggingContext("one")
    with one:
        start = one.usage_start
        assert set_current_context(one) is one
        assert one.usage_start is start
    assert reports == []


# --- 2: with LoggingContext()


def test_with_enters_restores_and_finishes(each_storage: str, reports: list[str]) -> None:
    with LoggingContext("outer") as outer:
        with LoggingContext("inner") as inner:
            assert current_context() is inner
            assert not inner.finished
        assert inner.finished
        assert current_context() is outer
        assert not outer.finished
    assert current_context() is SENTINEL_CONTEXT
    assert reports == []


def test_exceptions_pass(each_storage: str) -> None:
    with pytest.raises(KeyError, match="through"), LoggingContext("x") as x:
        raise KeyError("through")
    assert x.finished
    assert current_context() is SENTINEL_CONTEXT


def test_leaving_out_of_order_is_reported_and_still_restores(
    each_storage: str, reports: list[str]
) -> None:
    one, two = LoggingContext("one"), LoggingContext("two")
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    assert reports == ["Expected log context one but found two"]
    assert current_context() is SENTINEL_CONTEXT
    assert one.finished


def test_losing_the_context_is_reported_and_still_restores(
    each_storage: str, reports: list[str]
) -> None:
    with LoggingContext("outer") as outer:
        with LoggingContext("inner"):
            set_current_context(SENTINEL_CONTEXT)
        assert reports == ["Expected log context inner was lost"]
        assert current_context() is outer


def test_created_in_one_place_entered_in_another(each_storage: str, reports: list[str]) -> None:
    with LoggingContext("somewhere"):
        wandering = LoggingContext("wandering")
    with LoggingContext("elsewhere") as elsewhere:
        with wandering:
            assert current_context() is wandering
        assert current_context() is elsewhere
    assert reports == []


def test_finished_context_is_freed_at_once(each_storage: str) -> None:
    """Without a reference cycle, which would leave a request's context to the collector."""
    with LoggingContext("main") as main:
        alive = weakref.ref(main)
    gc.disable()
    try:
        del main
        assert alive() is None
    finally:
        gc.enable()


def test_previous_context_is_the_one_found_at_entry(each_storage: str) -> None:
    with LoggingContext("outer") as outer, LoggingContext("inner") as inner:
        assert inner.previous_context is outer


# --- 3: misuse


def test_entering_a_finished_context_is_reported(each_storage: str, reports: list[str]) -> None:
    with LoggingContext("task") as task:
        pass
    with task:
        assert current_context() is task
    assert reports == ["Re-starting finished log context task"]


def test_misuse_is_a_warning_by_default(
    each_storage: str, caplog: pytest.LogCaptureFixture
) -> None:
    with LoggingContext("task") as task:
        pass
    with caplog.at_level(logging.WARNING), task:
        pass
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("WARNING", "Re-starting finished log context task")
    ]


def test_strict_raises_and_leaves_things_as_they_were(each_storage: str) -> None:
    configure(strict=True)
    with LoggingContext("main") as main:
        with LoggingContext("task") as task:
            pass
        with pytest.raises(LogContextError, match="Re-starting finished log context task"), task:
            pytest.fail("must not be entered")
        assert current_context() is main
        assert main.finished is False


def test_strict_never_leaves_a_block_s_own_context_behind(each_storage: str) -> None:
    """What must be restored is finished: better no context than that of the block."""
    configure(strict=True)
    outer = LoggingContext("outer")
    set_current_context(outer)
    with pytest.raises(LogContextError, match="outer"), LoggingContext("inner"):
        outer.finished = True
    assert current_context() is SENTINEL_CONTEXT


def test_logcontext_error_of_one_s_own_may_raise(
    each_storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(msg: str) -> None:
        raise AssertionError(msg)

    monkeypatch.setattr(context, "logcontext_error", fail)
    outer = LoggingContext("outer")
    for block in (LoggingContext("inner"), PreserveLoggingContext(LoggingContext("inner"))):
        outer.finished = False
        set_current_context(outer)
        with pytest.raises(AssertionError, match="outer"), block:
            outer.finished = True
        assert current_context() is SENTINEL_CONTEXT


def test_logcontext_error_is_looked_up_at_call_time(
    each_storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    with LoggingContext("task") as task:
        pass
    monkeypatch.setattr(context, "logcontext_error", seen.append)
    with task:
        pass
    assert len(seen) == 1


def test_restoring_a_finished_context_is_reported(each_storage: str, reports: list[str]) -> None:
    request = LoggingContext("request")
    set_current_context(request)
    with PreserveLoggingContext():
        request.finished = True
    assert reports == ["Re-starting finished log context request"]
    set_current_context(SENTINEL_CONTEXT)


def test_start_on_another_thread_is_reported_and_not_charged(reports: list[str]) -> None:
    ours = LoggingContext("ours")

    def elsewhere() -> None:
        set_current_context(ours)
        assert ours.usage_start is None
        set_current_context(SENTINEL_CONTEXT)

    in_thread_result = in_thread(lambda: elsewhere() or "done")  # type: ignore[func-returns-value]
    assert in_thread_result == "done"
    assert reports[0] == "Started log context ours on a different thread"
    assert ours.get_resource_usage().ru_utime == 0.0


def test_another_thread_does_not_stop_the_owner_s_clock(reports: list[str]) -> None:
    def elsewhere() -> str:
        set_current_context(ours)
        set_current_context(SENTINEL_CONTEXT)
        return "done"

    with LoggingContext("ours") as ours:
        started = ours.usage_start
        in_thread(elsewhere)
        assert ours.usage_start is started
    assert reports == [
        "Started log context ours on a different thread",
        "Stopped log context ours on a different thread",
    ]


def test_stop_on_another_thread_is_reported(reports: list[str]) -> None:
    ours = LoggingContext("ours")
    reading = context.get_thread_resource_usage()
    ours.start(reading)
    in_thread(lambda: ours.stop(reading))
    assert reports == ["Stopped log context ours on a different thread"]


def test_already_active_is_reported(reports: list[str]) -> None:
    ours = LoggingContext("ours")
    reading = context.get_thread_resource_usage()
    ours.start(reading)
    ours.start(reading)
    assert reports == ["Re-starting already active log context ours"]


def test_stop_without_start_is_reported(reports: list[str]) -> None:
    LoggingContext("ours").stop(context.get_thread_resource_usage())
    assert reports == ["Stopping log context ours that was not started"]


def test_entering_an_active_context_is_reported_and_still_restores(
    each_storage: str, reports: list[str]
) -> None:
    twice = LoggingContext("twice")
    with twice, twice:
        pass
    assert reports == [
        "Re-starting already active log context twice",
        "Leaving log context twice that was not entered",
    ]
    assert current_context() is SENTINEL_CONTEXT


def test_entering_an_outer_context_again_is_reported_and_still_restores(
    each_storage: str, reports: list[str]
) -> None:
    outer = LoggingContext("outer")
    with outer, LoggingContext("inner"), outer:
        pass
    assert reports[0] == "Re-starting already active log context outer"
    assert current_context() is SENTINEL_CONTEXT


def test_entering_a_context_set_by_hand_is_reported_and_leaves_nothing_behind(
    each_storage: str, reports: list[str]
) -> None:
    ours = LoggingContext("ours")
    set_current_context(ours)
    with ours:
        pass
    assert reports == ["Re-starting already active log context ours"]
    assert current_context() is SENTINEL_CONTEXT


# --- 4: PreserveLoggingContext


def test_preserve_sets_the_sentinel_and_restores(each_storage: str, reports: list[str]) -> None:
    with LoggingContext("main") as main:
        with PreserveLoggingContext():
            assert current_context() is SENTINEL_CONTEXT
        assert current_context() is main
    assert reports == []


def test_preserve_does_not_finish_its_target(each_storage: str, reports: list[str]) -> None:
    task = LoggingContext("task")
    for _ in range(2):
        with PreserveLoggingContext(task):
            assert current_context() is task
        assert not task.finished
    assert current_context() is SENTINEL_CONTEXT
    assert reports == []


def test_preserve_reports_when_it_finds_another_context(
    each_storage: str, reports: list[str]
) -> None:
    with LoggingContext("main") as main:
        with PreserveLoggingContext(LoggingContext("task")):
            set_current_context(SENTINEL_CONTEXT)
        assert current_context() is main
        with PreserveLoggingContext():
            set_current_context(LoggingContext("stray"))
        assert current_context() is main
    assert reports == [
        "Expected log context task was lost",
        "Expected log context sentinel but found stray",
    ]


def test_preserve_lets_exceptions_pass(each_storage: str) -> None:
    with LoggingContext("main") as main:
        with pytest.raises(KeyError), PreserveLoggingContext():
            raise KeyError
        assert current_context() is main
