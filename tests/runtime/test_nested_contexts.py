"""Behaviours 5 to 10: making, nesting and logging contexts, threads, configuration."""

from __future__ import annotations

import contextvars
import logging
from dataclasses import dataclass

import pytest

from logctx_lint.runtime import context
from logctx_lint.runtime.context import (
    SENTINEL_CONTEXT,
    LoggingContext,
    LoggingContextFilter,
    configure,
    current_context,
    nested_logging_context,
)

from .helpers import LogLines, in_thread, logger

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
