"""Behaviours 1 to 10: entering, leaving, finishing, nesting, logging. See also test_usage."""

from __future__ import annotations

import contextvars
import gc
import logging
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from logctx_lint.runtime import context
from logctx_lint.runtime.context import (
    SENTINEL_CONTEXT,
    LogContextError,
    LoggingContext,
    LoggingContextFilter,
    PreserveLoggingContext,
    configure,
    current_context,
    nested_logging_context,
    set_current_context,
)

from .helpers import PATIENCE, LogLines, logger


def in_thread(function: Callable[[], Any]) -> Any:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join(PATIENCE)
    return results[0]


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


# --- 5: making one


def test_context_needs_no_arguments() -> None:
    bare = LoggingContext()
    assert str(bare) == bare.name == ""
    assert bare.parent_context is None
    assert bare.request is None


def test_context_takes_synapse_s_keywords() -> None:
    parent = LoggingContext("parent", request="id-1")
    child = LoggingContext(
        name="child", server_name="example.com", parent_context=parent, request="id-2"
    )
    assert str(child) == "child"
    assert child.server_name == "example.com"
    assert child.parent_context is parent
    assert child.request == "id-2"


def test_request_and_server_name_are_inherited_from_the_parent() -> None:
    parent = LoggingContext("parent", server_name="example.com", request="id-1")
    child = LoggingContext("child", parent_context=parent)
    assert (child.request, child.server_name) == ("id-1", "example.com")


def test_any_attribute_can_be_set() -> None:
    ours = LoggingContext("name is the first argument")
    ours.request = "id"
    ours.tag = "anything"
    assert (ours.request, ours.tag) == ("id", "anything")


# --- 6: nested_logging_context


def test_nested_context_is_named_after_its_parent_and_linked(each_storage: str) -> None:
    with LoggingContext("main", request="id-7") as main:
        nested = nested_logging_context("part")
        assert str(nested) == "main-part"
        assert nested.parent_context is main
        assert nested.request == "id-7"


def test_nested_context_of_a_given_parent(each_storage: str) -> None:
    parent = LoggingContext("parent")
    with LoggingContext("main"):
        nested = nested_logging_context("part", parent_context=parent)
    assert str(nested) == "parent-part"
    assert nested.parent_context is parent


def test_nested_context_under_the_sentinel(each_storage: str) -> None:
    nested = nested_logging_context("part")
    assert str(nested) == "sentinel-part"
    assert nested.parent_context is None
    assert nested.request is None
    with nested:
        assert current_context() is nested


# --- 7: the filter


def record(**attributes: object) -> logging.LogRecord:
    made = logging.LogRecord("app", logging.INFO, __file__, 1, "message", None, None)
    made.__dict__.update(attributes)
    return made


def test_filter_adds_the_request_and_returns_true(each_storage: str) -> None:
    with LoggingContext("main", request="id-1", server_name="example.com"):
        made = record()
        assert LoggingContextFilter().filter(made) is True
    assert made.request == "id-1"  # type: ignore[attr-defined]
    assert made.server_name == "example.com"  # type: ignore[attr-defined]


def test_filter_falls_back_to_the_name(each_storage: str, lines: LogLines) -> None:
    with LoggingContext("main"):
        logger.info("hello")
    assert lines == ["main: hello"]


def test_filter_adds_the_context_s_own_attributes(each_storage: str) -> None:
    made = record()
    with LoggingContext("main") as main:
        main.user = "alice"
        main.msg = main.levelno = main.message = "must not hide the record's own"
        LoggingContextFilter().filter(made)
    assert made.user == "alice"  # type: ignore[attr-defined]
    assert made.getMessage() == "message"
    assert made.name == "app"
    assert made.levelno == logging.INFO
    assert not hasattr(made, "message")


def test_filter_adds_the_fields_of_a_request_object(each_storage: str) -> None:
    @dataclass(frozen=True)
    class Request:
        request_id: str
        method: str

    made = record()
    with LoggingContext("main", request=Request("id-1", "GET")):
        LoggingContextFilter().filter(made)
    assert made.request == "main"  # type: ignore[attr-defined]
    assert made.request_id == "id-1"  # type: ignore[attr-defined]
    assert made.method == "GET"  # type: ignore[attr-defined]


def test_filter_takes_any_plain_id(each_storage: str, lines: LogLines) -> None:
    with LoggingContext("main", request=7):
        logger.info("hello")
    assert lines == ["7: hello"]


def test_request_format_never_fails_under_the_sentinel(each_storage: str, lines: LogLines) -> None:
    logger.info("hello")
    assert lines == ["sentinel: hello"]
    made = record()
    assert LoggingContextFilter(request="none").filter(made) is True
    assert made.request == "none"  # type: ignore[attr-defined]


def test_filter_under_the_sentinel_keeps_a_third_party_s_attributes(each_storage: str) -> None:
    theirs = object()
    made = record(request=theirs, server_name="theirs")
    assert LoggingContextFilter().filter(made) is True
    assert made.request is theirs  # type: ignore[attr-defined]
    assert made.server_name == "theirs"  # type: ignore[attr-defined]


def test_filter_works_in_pool_threads(each_storage: str, lines: LogLines) -> None:
    with LoggingContext("main", request="id-1"):
        task = context.in_child_context(logger.info)

    def work() -> None:
        task("in a child")
        logger.info("outside")

    in_thread(work)
    assert lines == ["id-1: in a child", "sentinel: outside"]


def test_filter_on_a_handler_sees_the_records_of_child_loggers(
    each_storage: str, lines: LogLines
) -> None:
    with LoggingContext("main"):
        logging.getLogger("app.deep.down").info("hello")
    assert lines == ["main: hello"]


# --- 10: threads


def test_child_in_thread_has_the_parent_s_name_and_request(
    each_storage: str, reports: list[str]
) -> None:
    with LoggingContext("main", request="id-1") as main:
        child: LoggingContext = in_thread(context.in_child_context(current_context))
    assert (str(child), child.request, child.parent_context) == ("main", "id-1", main)
    assert child.finished
    assert reports == []


def test_child_in_thread_under_the_sentinel(each_storage: str, reports: list[str]) -> None:
    child: LoggingContext = in_thread(context.in_child_context(current_context))
    assert (str(child), child.parent_context) == ("sentinel", None)
    assert child
    assert reports == []


def test_thread_of_a_pool_is_left_as_it_was(each_storage: str, reports: list[str]) -> None:
    with LoggingContext("main"):
        child = context.in_child_context(lambda: None)
    assert in_thread(lambda: (child(), current_context())[1]) is SENTINEL_CONTEXT
    assert reports == []


def test_context_variables_are_copied_into_the_thread(each_storage: str) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("value")
    assert in_thread(context.in_child_context(variable.get)) == "value"


# --- configure


def test_storage_cannot_change_under_a_current_context() -> None:
    with LoggingContext("main") as main:
        with pytest.raises(RuntimeError, match="main is current"):
            configure(storage="contextvar")
        with pytest.raises(RuntimeError, match="main is current"):
            configure(accounting=False)
        configure(strict=False)
        assert current_context() is main


def test_unknown_storage_is_refused() -> None:
    with pytest.raises(ValueError, match="thread-local, contextvar"):
        configure(storage="cupboard")  # type: ignore[arg-type]


def test_configure_keeps_what_is_not_given_and_returns_what_was() -> None:
    assert configure(strict=True).storage == "thread-local"
    was = configure(storage="contextvar")
    assert (was.storage, was.strict, was.accounting) == ("thread-local", True, True)
    was = configure(storage="thread-local")
    assert (was.storage, was.strict, was.accounting) == ("contextvar", True, False)


def test_contextvar_storage_follows_context_variables(contextvar_storage: None) -> None:
    """What the thread-local storage cannot do, and why the event loop needs no help there."""
    elsewhere = contextvars.copy_context()
    with LoggingContext("main") as main:
        assert elsewhere.run(current_context) is SENTINEL_CONTEXT
        assert contextvars.copy_context().run(current_context) is main
