"""Behaviour 17: render methods that are coroutines, and clients that leave."""

# mypy: disallow-subclassing-any=False

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest
from twisted.internet import defer, reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.web import server

from logctx_lint.runtime.cancellation import cancellable
from logctx_lint.runtime.context import (
    SENTINEL_CONTEXT,
    LoggingContext,
    current_context,
)
from logctx_lint.runtime.deferreds import make_deferred_yieldable
from logctx_lint.runtime.web import async_render

from .helpers import PATIENCE
from .web_helpers import Fault, Resource, Server, disconnect

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
