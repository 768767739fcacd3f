"""What services use beside the runtime: ASGI, structlog, OpenTelemetry, handlers with a queue.

The servers themselves are in ``test_services``.
"""

from __future__ import annotations

import asyncio
import logging
import logging.handlers
import queue
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import pytest

from logctx_lint.runtime.asgi import LoggingContextMiddleware, printable
from logctx_lint.runtime.cancellation import cancellable
from logctx_lint.runtime.context import (
    LoggingContext,
    LoggingContextFilter,
    current_context,
    nested_logging_context,
    set_current_context,
)
from logctx_lint.runtime.storage import SENTINEL_CONTEXT
from logctx_lint.runtime.structlog_processor import add_log_context

Message = MutableMapping[str, Any]


# --- ASGI


class Client:
    """The server's side of one request: what it sends, and what it is sent."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.to_come = list(messages)
        self.sent: list[Message] = []
        self.gone = asyncio.Event()

    async def receive(self) -> Message:
        if self.to_come:
            return self.to_come.pop(0)
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)


EMPTY_BODY = {"type": "http.request", "body": b"", "more_body": False}


def request(**more: Any) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "headers": [], **more}


async def answer(send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def asgi(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(main(), 30)

    asyncio.run(bounded())


def test_id_of_the_header_or_a_new_one_goes_back(contextvar_storage: None) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(current_context().request)
        await answer(send)

    async def main() -> None:
        middleware = LoggingContextMiddleware(app, new_id=lambda: "new")
        for headers in ([(b"x-request-id", b"given\n")], []):
            client = Client(EMPTY_BODY)
            await middleware(request(headers=headers), client.receive, client.send)
            assert (b"x-request-id", seen[-1].encode()) in client.sent[0]["headers"]
            assert not current_context()

    asgi(main)
    assert seen == ["given", "new"]


def test_what_a_client_sends_is_fit_for_a_log_line() -> None:
    assert printable("a\r\nb\x1b[0m") == "ab[0m"
    assert len(printable("x" * 1000)) == 128


def test_body_arrives_whole_and_the_disconnect_after_it(contextvar_storage: None) -> None:
    received: list[Any] = []
    parts = [
        {"type": "http.request", "body": b"a", "more_body": True},
        {"type": "http.request", "body": b"b", "more_body": True},
        {"type": "http.request", "body": b"c", "more_body": False},
    ]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(3):
            received.append(await receive())
            await asyncio.sleep(0)
        client.gone.set()
        received.append(await receive())
        received.append(await receive())

    async def main() -> None:
        await LoggingContextMiddleware(app)(request(), client.receive, client.send)

    client = Client(*parts)
    asgi(main)
    assert received[:3] == parts
    assert [message["type"] for message in received[3:]] == ["http.disconnect"] * 2


@pytest.mark.parametrize("marked", [True, False])
def test_disconnect_cancels_what_is_marked(contextvar_storage: None, marked: bool) -> None:
    ended: list[str] = []

    async def endpoint() -> None: ...

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["endpoint"] = cancellable(endpoint) if marked else endpoint
        client.gone.set()
        try:
            await asyncio.sleep(0.05)
            ended.append("by itself")
        except asyncio.CancelledError:
            ended.append(f"cancelled in {current_context().request}")
            raise

    async def main() -> None:
        middleware = LoggingContextMiddleware(app, new_id=lambda: "id")
        await middleware(request(), client.receive, client.send)
        task: Any = asyncio.current_task()
        if hasattr(task, "cancelling"):
            assert task.cancelling() == 0
        await asyncio.sleep(0)  # a cancellation that is still to come would come here

    client = Client(EMPTY_BODY)
    asgi(main)
    assert ended == ["cancelled in id" if marked else "by itself"]


def test_disconnect_after_the_answer_cancels_nothing(contextvar_storage: None) -> None:
    ended: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send)
        client.gone.set()
        await asyncio.sleep(0.02)
        ended.append("by itself")

    async def main() -> None:
        middleware = LoggingContextMiddleware(app, may_cancel=lambda scope: True)
        await middleware(request(), client.receive, client.send)

    client = Client(EMPTY_BODY)
    asgi(main)
    assert ended == ["by itself"]


def test_somebody_else_s_cancellation_passes(contextvar_storage: None) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(30)

    async def main() -> None:
        client = Client(EMPTY_BODY)
        middleware = LoggingContextMiddleware(app)
        task = asyncio.ensure_future(middleware(request(), client.receive, client.send))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asgi(main)


@pytest.mark.parametrize("outer", [True, False])
def test_exception_leaves_the_context_to_the_server_s_log_line(
    contextvar_storage: None, outer: bool
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError("lost")

    async def server() -> None:
        client = Client(EMPTY_BODY)
        middleware = LoggingContextMiddleware(app, new_id=lambda: "id")
        if outer:
            set_current_context(LoggingContext("outer", request="outer"))
        try:
            await middleware(request(), client.receive, client.send)
        except KeyError:
            assert current_context().request == ("outer" if outer else "id")

    async def main() -> None:
        await asyncio.ensure_future(server())
        assert not current_context()

    asgi(main)


def test_web_sockets_have_a_context_and_lifespan_has_none(contextvar_storage: None) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(str(current_context()))

    async def main() -> None:
        middleware, client = LoggingContextMiddleware(app, new_id=lambda: "id"), Client()
        await middleware({"type": "websocket", "headers": []}, client.receive, client.send)
        await middleware({"type": "lifespan"}, client.receive, client.send)

    asgi(main)
    assert seen == ["WEBSOCKET-id", "sentinel"]


def test_thread_local_storage_is_refused() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    async def main() -> None:
        client = Client()
        with pytest.raises(RuntimeError, match="contextvar"):
            await LoggingContextMiddleware(app)(request(), client.receive, client.send)

    asgi(main)


# --- structlog


def test_processor_adds_what_the_filter_adds(each_storage: str) -> None:
    with LoggingContext("request", request="id", server_name="here") as ours:
        ours.user = "alice"
        event = add_log_context(None, "info", {"event": "paid", "user": "bob"})
    assert event == {"event": "paid", "request": "id", "server_name": "here", "user": "bob"}
    assert add_log_context(None, "info", {})["request"] == "sentinel"


def test_processor_in_structlog(each_storage: str) -> None:
    structlog = pytest.importorskip("structlog")
    capture = structlog.testing.CapturingLoggerFactory()
    logger = structlog.wrap_logger(
        capture(), processors=[add_log_context, structlog.processors.JSONRenderer(sort_keys=True)]
    )
    with LoggingContext("request", request="id"):
        logger.info("paid", amount=3)
    (call,) = capture.logger.calls
    assert call.args == ('{"amount": 3, "event": "paid", "request": "id", "server_name": ""}',)


# --- OpenTelemetry


def test_records_carry_the_ids_of_the_span(each_storage: str) -> None:
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    from logctx_lint.runtime.opentelemetry_bridge import TraceContextFilter, span_context

    tracer = sdk.TracerProvider().get_tracer("test")
    filters = [LoggingContextFilter(), TraceContextFilter()]

    def record(**extra: Any) -> logging.LogRecord:
        made = logging.makeLogRecord(extra)
        for each in filters:
            assert each.filter(made)
        return made

    assert (record().__dict__["trace_id"], record().__dict__["span_id"]) == ("", "")
    with span_context(tracer, "checkout", request="id") as ours:
        fields = record().__dict__
        assert (fields["request"], str(ours)) == ("id", "checkout")
        assert fields["trace_id"] == ours.trace_id
        assert len(fields["trace_id"]) == 32
        with nested_logging_context("part"):
            assert record().__dict__["span_id"] == ours.span_id
        assert record(trace_id="mine").__dict__["trace_id"] == "mine"
        with tracer.start_as_current_span("inner") as inner:
            inner_id = f"{inner.get_span_context().span_id:016x}"
            plain = logging.makeLogRecord({})
            TraceContextFilter().filter(plain)
            assert plain.__dict__["span_id"] == inner_id
    assert current_context() is SENTINEL_CONTEXT


def test_span_records_the_exception_and_ends(each_storage: str) -> None:
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    from logctx_lint.runtime.opentelemetry_bridge import span_context

    provider, exporter = sdk.TracerProvider(), memory.InMemorySpanExporter()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    with pytest.raises(KeyError), span_context(provider.get_tracer("test"), "checkout"):
        raise KeyError("lost")
    (span,) = exporter.get_finished_spans()
    assert (span.name, span.status.is_ok) == ("checkout", False)
    assert current_context() is SENTINEL_CONTEXT


# --- A handler with a queue


def test_filter_on_the_queue_handler_and_not_on_the_listener_s(each_storage: str) -> None:
    records: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    into: queue.SimpleQueue[Any] = queue.SimpleQueue()
    handler = logging.handlers.QueueHandler(into)  # type: ignore[arg-type,unused-ignore]
    handler.addFilter(LoggingContextFilter())
    output = Keep()
    output.addFilter(LoggingContextFilter())  # there it finds no context, and does no harm
    listener = logging.handlers.QueueListener(into, output)  # type: ignore[arg-type,unused-ignore]
    logger = logging.getLogger("queued")
    logger.propagate = False
    logger.addHandler(handler)
    listener.start()
    with LoggingContext("request", request="id") as ours:
        ours.user = "alice"
        logger.warning("paid")
    listener.stop()
    logger.removeHandler(handler)
    (record,) = records
    assert (record.__dict__["request"], record.__dict__["user"]) == ("id", "alice")
