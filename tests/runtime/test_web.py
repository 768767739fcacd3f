"""Behaviour 16 and the decorator for blocking methods: over real HTTP on the loopback.

What the faults E1 to E5 are, web_helpers says.
"""

# mypy: disallow-subclassing-any=False

from __future__ import annotations

import functools
import http.client
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from logctx_lint.runtime.cancellation import cancellable, is_function_cancellable
from logctx_lint.runtime.context import (
    SENTINEL_CONTEXT,
    LoggingContext,
    current_context,
)
from logctx_lint.runtime.web import async_render, blocking_render

from .helpers import PATIENCE
from .web_helpers import PAGE, Fault, FaultyRequest, Resource, Server, disconnect


class Echo(Resource):
    """The resource of the seed, with the decorator that it asks for."""

    isLeaf = True

    def __init__(self, *faults: str, page: object = None) -> None:
        super().__init__()
        self.faults = faults
        self.page_instead = page
        self.counter = count(1)
        self.threads: list[tuple[bool, Any]] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.started = threading.Event()

    def render_GET(self, request: Any) -> int:
        content_type, encoding = "text/html", "UTF-8"
        request.setHeader("Content-Type", f"{content_type}; charset={encoding}")
        result = self.page(request, next(self.counter))
        if "E5" in self.faults:
            # Else the request may be over before the thread begins, which then does nothing.
            assert self.started.wait(PATIENCE)
            raise Fault("E5")
        return result

    @blocking_render
    def page(self, request: Any, value: int) -> object:
        self.threads.append((threading.current_thread() is not main_thread(), current_context()))
        self.started.set()
        assert self.may_go_on.wait(PATIENCE)
        if "E1" in self.faults:
            raise Fault("E1")
        if self.page_instead is not None:
            return self.page_instead
        lines = [
            "<html><body>\n",
            f"<p>Page view #{value} in this session</p>\n",
            "</body></html>\n",
        ]
        return "".join(lines)


def main_thread() -> threading.Thread:
    """The reactor's."""
    from twisted.python import threadable

    ident = threadable.ioThread
    return next(each for each in threading.enumerate() if each.ident == ident)


# --- The decorator for blocking methods


def test_page_of_a_blocking_method(
    each_storage: str, serve: Callable[..., Server], reports: list[str]
) -> None:
    echo = Echo()
    running = serve(echo)
    assert running.get() == (200, PAGE.encode())
    assert running.get() == (200, PAGE.replace("#1", "#2").encode())
    assert [in_pool for in_pool, _ in echo.threads] == [True, True]
    assert running.failures == []
    assert reports == []


def test_thread_logs_in_a_child_context(
    each_storage: str, serve: Callable[..., Server], reports: list[str]
) -> None:
    echo = Echo()
    running = serve(echo)
    running.get()
    ((_, child),) = echo.threads
    assert str(child).startswith("GET-")
    assert child.finished
    assert child.parent_context is not None
    running.settle()
    assert child.parent_context.finished
    assert running.reactor.call(current_context) is SENTINEL_CONTEXT
    assert reports == []


def test_request_s_context_is_a_child_of_the_current_one(
    each_storage: str, serve: Callable[..., Server], reports: list[str]
) -> None:
    class Wrapping(Echo):
        def render_GET(self, request: Any) -> int:
            with LoggingContext("site", request="id-1") as context:
                result = super().render_GET(request)
                assert current_context() is context
            return result

    echo = Wrapping()
    running = serve(echo)
    assert running.get()[0] == 200
    running.settle()
    ((_, child),) = echo.threads
    assert child.request == "id-1"
    assert str(child.parent_context.parent_context) == "site"
    assert reports == []


@pytest.mark.parametrize(
    ("page", "expected"),
    [(b"bytes", b"bytes"), ("s\u00f6me", "s\u00f6me".encode()), (b"", b"")],
)
def test_method_returns_bytes_or_text(
    serve: Callable[..., Server], page: object, expected: bytes
) -> None:
    assert serve(Echo(page=page)).get() == (200, expected)


def test_head_gets_no_body(serve: Callable[..., Server]) -> None:
    class Heading(Echo):
        def render_HEAD(self, request: Any) -> int:
            return self.render_GET(request)

    running = serve(Heading())
    assert running.get("HEAD") == (200, b"")
    assert running.failures == []


@pytest.mark.parametrize("where", ["E1", "E2"])
def test_failure_before_the_page_is_begun_is_answered(
    serve: Callable[..., Server], where: str, tracebacks: bool
) -> None:
    running = serve(Echo(where))
    running.site.displayTracebacks = tracebacks
    running.site.faults.add(where)
    status, body = running.get()
    assert status == 500
    assert (b"Fault" in body) is tracebacks
    assert running.failures == [where]
    (request,) = running.site.requests
    assert request.finishes == 1


@pytest.mark.parametrize("page", [3, "\ud800"], ids=["not a page", "cannot be encoded"])
def test_impossible_page_is_a_failure_before_it_is_begun(
    serve: Callable[..., Server], page: object
) -> None:
    running = serve(Echo(page=page))
    status, _ = running.get()
    assert status == 500
    assert len(running.failures) == 1


@pytest.mark.parametrize("where", ["E3", "E3b"])
def test_failure_within_the_page_appends_nothing_and_ends_the_connection(
    serve: Callable[..., Server], where: str
) -> None:
    """E3: after writing; E3b: in finishing. The client has the page, and is not kept waiting."""
    running = serve(Echo())
    running.site.faults.add(where)
    assert running.get() == (200, PAGE.encode())
    running.settle()
    assert running.failures == [where]
    (request,) = running.site.requests
    assert request.written == [PAGE.encode()]
    assert request.written_when_over == 0


def test_failure_after_the_end_is_logged_and_nothing_else(serve: Callable[..., Server]) -> None:
    running = serve(Echo())
    running.site.faults.add("E4")
    assert running.get() == (200, PAGE.encode())
    running.settle()
    assert running.failures == ["E4"]
    (request,) = running.site.requests
    assert (request.finishes, request.written_when_over) == (1, 0)
    # "very strange behavior on subsequent browser requests": none here
    assert running.get() == (200, PAGE.replace("#1", "#2").encode())


def test_failure_of_render_itself_drops_the_thread_s_page(
    serve: Callable[..., Server], tracebacks: bool
) -> None:
    echo = Echo("E5")
    echo.may_go_on.clear()
    running = serve(echo)
    running.site.displayTracebacks = tracebacks
    status, body = running.get()
    assert status == 500
    assert (b"Fault" in body) is tracebacks
    echo.may_go_on.set()
    running.settle()
    assert running.failures == ["E5"]
    (request,) = running.site.requests
    assert (request.finishes, request.written_when_over) == (1, 0)


def test_failures_of_render_and_of_the_thread_are_each_logged_once(
    serve: Callable[..., Server],
) -> None:
    echo = Echo("E5", "E1")
    echo.may_go_on.clear()
    running = serve(echo)
    assert running.get()[0] == 500
    echo.may_go_on.set()
    running.settle()
    assert running.failures == ["E5", "E1"]
    assert running.site.requests[0].written_when_over == 0


def test_error_page_that_cannot_be_sent_ends_the_connection(serve: Callable[..., Server]) -> None:
    class Unwritable(FaultyRequest):
        def write(self, data: bytes) -> None:
            raise Fault("cannot write")

    running = serve(Echo("E1"))
    running.site.requestFactory = Unwritable
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        running.get()
    assert running.failures == ["E1", "cannot write"]


def test_base_exception_in_the_thread_is_answered_too(serve: Callable[..., Server]) -> None:
    class Leaving(Echo):
        @blocking_render
        def render_GET(self, request: Any) -> bytes:
            raise SystemExit("leaving")

    running = serve(Leaving())
    assert running.get()[0] == 500
    assert running.failures == ["leaving"]


@pytest.mark.parametrize("fails", [False, True], ids=["page", "failure"])
def test_disconnect_drops_the_thread_s_result(
    each_storage: str, serve: Callable[..., Server], fails: bool, reports: list[str]
) -> None:
    echo = Echo(*(["E1"] if fails else []))
    echo.may_go_on.clear()
    running = serve(echo)
    client = running.connect()
    assert echo.started.wait(PATIENCE)
    gone = disconnect(running, client)
    assert gone.wait(PATIENCE)
    echo.may_go_on.set()
    running.settle()
    (request,) = running.site.requests
    assert (request.written, request.finishes, request.written_when_over) == ([], 0, 0)
    assert running.failures == (["E1"] if fails else [])
    assert reports == []


def test_queued_work_whose_client_has_gone_is_skipped(
    each_storage: str, serve: Callable[..., Server], reports: list[str]
) -> None:
    """Row 39: all threads of the pool are busy, and the method is not yet called."""
    echo = Echo()
    running = serve(echo)
    pool = running.reactor.reactor.getThreadPool()
    may_end = threading.Event()
    for _ in range(pool.max):
        running.reactor.call(pool.callInThread, may_end.wait, PATIENCE)
    client = running.connect()
    deadline = time.monotonic() + PATIENCE
    while not running.site.requests or not running.reactor.call(lambda: pool._team.statistics()):
        assert time.monotonic() < deadline
    gone = disconnect(running, client)
    assert gone.wait(PATIENCE)
    may_end.set()
    running.settle()
    assert echo.threads == []
    (request,) = running.site.requests
    assert (request.written, request.finishes) == ([], 0)
    assert (running.failures, reports) == ([], [])


# --- 16: the mark


def test_cancellable_only_marks() -> None:
    def function() -> int:
        return 3

    assert not is_function_cancellable(function)
    assert cancellable(function) is function
    assert is_function_cancellable(function)
    assert function() == 3


def test_mark_is_seen_on_bound_methods_and_through_wraps() -> None:
    class Servlet:
        @cancellable
        def on_GET(self) -> None: ...

        def on_PUT(self) -> None: ...

        @async_render
        @cancellable
        async def render_GET(self, request: Any) -> bytes:
            return b""

    assert is_function_cancellable(Servlet().on_GET)
    assert is_function_cancellable(Servlet.on_GET)
    assert not is_function_cancellable(Servlet().on_PUT)
    assert is_function_cancellable(Servlet().render_GET)

    @functools.wraps(Servlet.on_GET)
    def wrapper() -> None: ...

    assert is_function_cancellable(wrapper)
