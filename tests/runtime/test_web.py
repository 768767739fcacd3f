"""Behaviours 16 and 17, and the web section: over real HTTP on the loopback.

Faults go in at E1 to E5 of seed ``twisted_deferred_web``: E1 in the thread, E2 before the page is
written, E3 between writing and finishing, E4 after finishing, E5 in ``render_GET`` after the
thread was started.
"""

# mypy: disallow-subclassing-any=False

from __future__ import annotations

import functools
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, cast

import pytest
from twisted.internet import defer, reactor, threads
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import globalLogPublisher
from twisted.web import resource, server

from logctx_lint.runtime.cancellation import cancellable, is_function_cancellable
from logctx_lint.runtime.context import (
    SENTINEL_CONTEXT,
    LoggingContext,
    current_context,
)
from logctx_lint.runtime.deferreds import make_deferred_yieldable
from logctx_lint.runtime.web import async_render, blocking_render

from .helpers import PATIENCE, RealReactor

PAGE = "<html><body>\n<p>Page view #1 in this session</p>\n</body></html>\n"


class Fault(Exception):
    pass


# Twisted's web classes are only partly annotated.
BaseRequest: Any = server.Request
BaseSite: Any = server.Site
Resource: Any = resource.Resource


class FaultyRequest(BaseRequest):
    """A request that fails on demand, and tells when it is over and what was written to it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.site_under_test = self.channel.site
        self.site_under_test.requests.append(self)
        self.written: list[bytes] = []
        self.finishes = 0
        self.written_when_over = 0

    def write(self, data: bytes) -> None:
        fault = self.site_under_test.take_fault
        if self.finished or self._disconnected:
            self.written_when_over += 1
        if fault("E2"):
            raise Fault("E2")
        super().write(data)
        self.written.append(data)
        if fault("E3"):
            raise Fault("E3")

    def finish(self) -> None:
        if self.finished or self._disconnected:
            self.written_when_over += 1
        self.finishes += 1
        if self.site_under_test.take_fault("E3b"):
            raise Fault("E3b")
        super().finish()
        if self.site_under_test.take_fault("E4"):
            raise Fault("E4")


class SiteUnderTest(BaseSite):
    displayTracebacks = True

    def __init__(self, root: resource.Resource) -> None:
        super().__init__(root, requestFactory=FaultyRequest)
        self.requests: list[FaultyRequest] = []
        self.faults: set[str] = set()

    def take_fault(self, name: str) -> bool:
        """Each fault happens once: what it leads to is another matter."""
        found = name in self.faults
        self.faults.discard(name)
        return found


class Server:
    """A site on a free port of the loopback, and the failures that were logged meanwhile."""

    def __init__(self, reactor: RealReactor, root: resource.Resource) -> None:
        self.reactor = reactor
        self.site = SiteUnderTest(root)
        self.failures: list[str] = []
        cast(Any, globalLogPublisher).addObserver(self._observe)
        self._port = reactor.call(
            lambda: reactor.reactor.listenTCP(0, self.site, interface="127.0.0.1")
        )
        self.port: int = self._port.getHost().port

    def _observe(self, event: Any) -> None:
        if "log_failure" in event:
            self.failures.append(str(event["log_failure"].value))

    def get(self, method: str = "GET") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, "/")
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        """A client that may go away: its request has been sent."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return client

    def settle(self) -> None:
        """Wait until the threads have done what was begun, and the reactor knows."""
        team = self.reactor.reactor.getThreadPool()._team

        def busy() -> bool:
            statistics = team.statistics()
            return bool(statistics.busyWorkerCount or statistics.backloggedWorkCount)

        deadline = time.monotonic() + PATIENCE
        while self.reactor.call(busy):
            assert time.monotonic() < deadline, "a thread hangs"
        self.reactor.call(lambda: None)  # their results came before this

    def close(self) -> None:
        self.reactor.call(self._port.stopListening)
        for request in self.site.requests:
            if getattr(request, "channel", None) is not None:
                self.reactor.call(request.loseConnection)
        self.settle()
        cast(Any, globalLogPublisher).removeObserver(self._observe)


@pytest.fixture
def serve(real_reactor: RealReactor) -> Iterator[Callable[[resource.Resource], Server]]:
    servers: list[Server] = []

    def start(root: resource.Resource) -> Server:
        servers.append(Server(real_reactor, root))
        return servers[-1]

    yield start
    for started in servers:
        started.close()


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


@pytest.fixture(params=[True, False], ids=["tracebacks", "no tracebacks"])
def tracebacks(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


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


def disconnect(running: Server, client: socket.socket) -> threading.Event:
    """Close the client; the event is set once the server's request knows."""
    gone = threading.Event()
    (request,) = running.site.requests

    def watch() -> None:
        request.notifyFinish().addErrback(lambda _: gone.set())

    running.reactor.call(watch)
    client.close()
    return gone


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


# --- 17: coroutines and disconnects


class Waiting(Resource):
    """Waits for an event, after it has told that it does."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.event: Deferred[bytes] = Deferred()
        self.started = threading.Event()
        self.ended = threading.Event()
        self.seen: list[str] = []

    async def wait(self) -> bytes:
        self.started.set()
        try:
            return await make_deferred_yieldable(self.event)
        except CancelledError:
            self.seen.append(f"cancelled in {str(current_context()).split('-')[0]}")
            raise
        finally:
            self.ended.set()


class Cancellable(Waiting):
    @async_render
    @cancellable
    async def render_GET(self, request: Any) -> bytes:
        return await self.wait()


class MarkedOutside(Waiting):
    @cancellable
    @async_render
    async def render_GET(self, request: Any) -> bytes:
        return await self.wait()


class NotCancellable(Waiting):
    @async_render
    async def render_GET(self, request: Any) -> bytes:
        page = await self.wait()
        self.seen.append("ran to its end")
        return page


@pytest.mark.parametrize("kind", [Cancellable, NotCancellable])
def test_page_of_a_coroutine(
    each_storage: str, serve: Callable[..., Server], kind: type[Waiting], reports: list[str]
) -> None:
    resource = kind()
    running = serve(resource)
    client = running.connect()
    assert resource.started.wait(PATIENCE)
    running.reactor.call(resource.event.callback, b"the page")
    response = http.client.HTTPResponse(client)
    response.begin()
    assert (response.status, response.read()) == (200, b"the page")
    client.close()
    running.settle()
    assert running.reactor.call(current_context) is SENTINEL_CONTEXT
    assert running.failures == []
    assert reports == []


@pytest.mark.parametrize("kind", [Cancellable, MarkedOutside])
def test_disconnect_cancels_a_marked_coroutine(
    each_storage: str, serve: Callable[..., Server], kind: type[Waiting], reports: list[str]
) -> None:
    resource = kind()
    running = serve(resource)
    client = running.connect()
    assert resource.started.wait(PATIENCE)
    client.close()
    assert resource.ended.wait(PATIENCE)
    running.settle()
    assert resource.seen == ["cancelled in GET"]
    (request,) = running.site.requests
    assert (request.written, request.finishes, request.written_when_over) == ([], 0, 0)
    assert running.failures == []
    assert running.reactor.call(current_context) is SENTINEL_CONTEXT
    assert reports == []


def test_disconnect_leaves_an_unmarked_coroutine_to_run_to_its_end(
    each_storage: str, serve: Callable[..., Server], reports: list[str]
) -> None:
    resource = NotCancellable()
    running = serve(resource)
    client = running.connect()
    assert resource.started.wait(PATIENCE)
    assert disconnect(running, client).wait(PATIENCE)
    assert not resource.ended.is_set()
    running.reactor.call(resource.event.callback, b"the page")
    assert resource.seen == ["ran to its end"]
    (request,) = running.site.requests
    assert (request.written, request.finishes, request.written_when_over) == ([], 0, 0)
    assert running.failures == []
    assert reports == []


def test_cancellation_is_started_in_the_sentinel(
    each_storage: str, serve: Callable[..., Server], reports: list[str]
) -> None:
    """Even if the connection is lost while somebody's log context is current."""
    seen: list[object] = []
    started = threading.Event()

    class Watching(Resource):
        isLeaf = True

        @async_render
        @cancellable
        async def render_GET(self, request: Any) -> bytes:
            started.set()
            waiting: Deferred[bytes] = Deferred(lambda _: seen.append(canceller_context()))
            return await make_deferred_yieldable(waiting)

    def canceller_context() -> object:
        return current_context()

    running = serve(Watching())
    client = running.connect()
    assert started.wait(PATIENCE)
    (request,) = running.site.requests

    def lose() -> None:
        with LoggingContext("somebody") as somebody:
            request.connectionLost(defer.CancelledError())
            assert current_context() is somebody

    running.reactor.call(lose)
    assert seen == [SENTINEL_CONTEXT]
    client.close()
    assert reports == []


def test_disconnect_after_the_end_cancels_nothing(serve: Callable[..., Server]) -> None:
    resource = Cancellable()
    running = serve(resource)
    resource.event.callback(b"at once")
    assert running.get() == (200, b"at once")
    running.settle()
    assert resource.seen == []
    assert running.failures == []


def test_there_are_never_two_responses(serve: Callable[..., Server]) -> None:
    class Twice(Resource):
        isLeaf = True

        @async_render
        async def render_GET(self, request: Any) -> bytes:
            request.write(b"first")
            request.finish()
            return b"second"

    running = serve(Twice())
    assert running.get() == (200, b"first")
    running.settle()
    assert running.site.requests[0].written == [b"first"]
    assert running.failures == []


def test_coroutine_may_finish_the_request_itself(serve: Callable[..., Server]) -> None:
    class Itself(Resource):
        isLeaf = True

        @async_render
        async def render_GET(self, request: Any) -> int:
            cast(Any, reactor).callLater(0, request.finish)
            request.write(b"by hand")
            return server.NOT_DONE_YET

    assert serve(Itself()).get() == (200, b"by hand")


@pytest.mark.parametrize("how", ["before", "cancelled", "within"])
def test_failing_coroutine_is_answered(
    serve: Callable[..., Server], how: str, tracebacks: bool
) -> None:
    class Failing(Resource):
        isLeaf = True

        @async_render
        async def render_GET(self, request: Any) -> bytes:
            if how == "within":
                request.setHeader(b"content-length", b"100")
                request.write(b"half a page")
            raise CancelledError("failed") if how == "cancelled" else Fault("failed")

    running = serve(Failing())
    running.site.displayTracebacks = tracebacks
    if how == "within":
        with pytest.raises(http.client.IncompleteRead) as caught:
            running.get()
        assert caught.value.partial == b"half a page"
    else:
        status, body = running.get()
        assert status == 500
        assert (b"Traceback" in body) is tracebacks
    running.settle()
    assert running.failures == ["failed"]


# --- The programs of the seed, which break


class SeedEcho(Resource):
    """What the question and its two answers have in common."""

    isLeaf = True

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.over = threading.Event()

    def callback1(self, value: int) -> str:
        if self.fault == "E1":
            raise ValueError("E1")
        return "".join(
            [
                "<html><body>\n",
                f"<p>Page view #{value} in this session</p>\n",
                "</body></html>\n",
            ]
        )

    def callback2(self, request: Any, encoding: str) -> Callable[[str], int]:
        def execute(message: str) -> int:
            if self.fault == "E2":
                raise ValueError("E2")
            request.write(message.encode(encoding))
            if self.fault == "E3":
                raise ValueError("E3")
            request.finish()
            if self.fault == "E4":
                raise ValueError("E4")
            return server.NOT_DONE_YET

        return execute

    def render_GET(self, request: Any) -> int:
        d = threads.deferToThread(self.callback1, 1)
        self.chain(d, request)
        d.addBoth(self.remember)
        if self.fault == "E5":
            raise ValueError("E5")
        return server.NOT_DONE_YET

    def chain(self, d: Deferred[Any], request: Any) -> None:
        raise NotImplementedError

    def remember(self, result: object) -> None:
        self.over.set()


class Question(SeedEcho):
    def chain(self, d: Deferred[Any], request: Any) -> None:
        d.addCallback(self.callback2(request, "UTF-8"))
        d.addErrback(lambda failure: failure)


class FirstAnswer(SeedEcho):
    def chain(self, d: Deferred[Any], request: Any) -> None:
        def errback(failure: Any) -> None:
            request.processingFailed(failure)

        d.addCallback(self.callback2(request, "UTF-8"))
        d.addErrback(errback)


class SecondAnswer(SeedEcho):
    def chain(self, d: Deferred[Any], request: Any) -> None:
        def eback(failure: Any) -> Any:
            request.processingFailed(failure)
            return failure

        d.addErrback(eback)
        d.addCallback(self.callback2(request, "UTF-8"))
        d.addErrback(eback)


@pytest.mark.parametrize("fault", ["E1", "E2", "E3"])
def test_program_of_the_question_hangs(serve: Callable[..., Server], fault: str) -> None:
    program = Question(fault)
    running = serve(program)
    client = running.connect()
    assert program.over.wait(PATIENCE)
    running.settle()
    (request,) = running.site.requests
    assert not request.finished  # and nobody is left who would finish it
    assert len(request.written) == (1 if fault == "E3" else 0)
    client.close()


@pytest.mark.parametrize("program", [Question, FirstAnswer, SecondAnswer])
def test_programs_of_the_seed_without_a_fault(
    serve: Callable[..., Server], program: type[SeedEcho]
) -> None:
    assert serve(program("")).get() == (200, PAGE.encode())


def test_program_of_the_question_fails_at_e5_as_desired(serve: Callable[..., Server]) -> None:
    program = Question("E5")
    status, body = serve(program).get()
    assert status == 500
    assert b"ValueError" in body
    assert program.over.wait(PATIENCE)


@pytest.mark.parametrize("program", [FirstAnswer, SecondAnswer])
@pytest.mark.parametrize("fault", ["E1", "E2"])
def test_answers_show_a_traceback_where_there_is_no_page_yet(
    serve: Callable[..., Server], program: type[SeedEcho], fault: str
) -> None:
    status, body = serve(program(fault)).get()
    assert status == 500
    assert b"ValueError" in body


@pytest.mark.parametrize("program", [FirstAnswer, SecondAnswer])
def test_answers_append_a_traceback_to_a_page_already_begun(
    serve: Callable[..., Server], program: type[SeedEcho]
) -> None:
    status, body = serve(program("E3")).get()
    assert status == 200
    assert body.startswith(PAGE.encode())
    assert b"ValueError" in body


@pytest.mark.parametrize("program", [FirstAnswer, SecondAnswer])
def test_answers_write_to_a_finished_request(
    serve: Callable[..., Server], program: type[SeedEcho]
) -> None:
    running = serve(program("E4"))
    running.get()
    running.settle()
    assert running.site.requests[0].written_when_over > 0
