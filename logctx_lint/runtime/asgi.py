"""ASGI middleware: a log context for each request, cancelled when its client goes away.

Needs no package: any ASGI server and framework will do. Needs contextvar storage.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from . import storage
from .cancellation import is_function_cancellable
from .context import LoggingContext, PreserveLoggingContext, current_context

__all__ = ["LoggingContextMiddleware"]

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def marked_cancellable(scope: Scope) -> bool:
    """Whether ``@cancellable`` marks the endpoint, where the framework tells which one it is."""
    return is_function_cancellable(scope.get("endpoint"))  # type: ignore[arg-type]


def new_request_id() -> str:
    return uuid.uuid4().hex


class LoggingContextMiddleware:
    """Runs each HTTP request and web socket of an ASGI application in a log context of its own.

    ``request`` of the context is the header's value, or a new id; it goes back in the same header
    of the response. Put it outermost, so that everything runs in the context: the server's access
    line is written while the response is sent, and an exception that reaches the server leaves the
    context in place, in the request's own task, for the line that the server logs of it.

    When the client goes away, the request is cancelled if ``may_cancel(scope)`` allows it; by
    default that is asked of the endpoint's ``@cancellable`` mark, which Starlette and FastAPI
    tell in ``scope["endpoint"]``. Any other request runs to its end.
    """

    def __init__(
        self,
        app: App,
        *,
        header: str = "X-Request-ID",
        new_id: Callable[[], str] = new_request_id,
        may_cancel: Callable[[Scope], bool] = marked_cancellable,
    ) -> None:
        self.app = app
        self._header = header.lower().encode("latin-1")
        self._new_id = new_id
        self._may_cancel = may_cancel

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        if storage.thread_local:
            raise RuntimeError("this middleware needs configure(storage='contextvar')")
        sent = next((value for name, value in scope["headers"] if name == self._header), b"")
        request_id = printable(sent.decode("latin-1")) or self._new_id()
        context = LoggingContext(
            f"{scope.get('method', 'WEBSOCKET')}-{request_id}", request=request_id
        )
        outermost = not current_context()
        context.__enter__()  # noqa: LCX404 - left below, after the error was logged in it
        try:
            await self._run(scope, receive, self._with_header(send, request_id))
        except Exception as error:
            if not outermost:
                context.__exit__(type(error), error, error.__traceback__)
            else:
                context.finished = True  # and stays current: the server logs the error next
            raise
        except BaseException as error:
            context.__exit__(type(error), error, error.__traceback__)
            raise
        else:
            context.__exit__(None, None, None)

    def _with_header(self, send: Send, request_id: str) -> Send:
        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (self._header, request_id.encode())]
                message = {**message, "headers": headers}
            await send(message)

        return send_with_header

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        task = asyncio.current_task()
        assert task is not None
        client = _Client(receive, send)

        def gone() -> None:
            if self._may_cancel(scope):
                client.cancelled = True
                task.cancel()

        with PreserveLoggingContext():
            watching = asyncio.ensure_future(client.watch(gone))
        try:
            await self.app(scope, client.receive, client.send)
        except asyncio.CancelledError:
            if not client.cancelled:
                raise
            if hasattr(task, "uncancel"):
                task.uncancel()
            logger.info("The client has gone: the request was cancelled")
        finally:
            client.over = True
            watching.cancel()


class _Client:
    """Passes on what the client sends, one message ahead of the application, to see it go."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._message: Message | None = None
        self._arrived = asyncio.Event()
        self._taken = asyncio.Event()
        self._failure: BaseException | None = None
        self.over = False  # the response is complete, or the application has returned
        self.cancelled = False

    async def watch(self, gone: Callable[[], None]) -> None:
        try:
            while True:
                message = await self._receive()
                self._message = message
                self._arrived.set()
                if message["type"] == "http.disconnect":
                    if not self.over:
                        gone()
                    return
                # Not further ahead than that: the body may be large. Where it has ended, only the
                # disconnect can follow, and is kept apart.
                self._taken.clear()
                if not message.get("more_body", False):
                    await self._watch_end(gone)
                    return
                await self._taken.wait()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._failure = error
            self._arrived.set()

    async def _watch_end(self, gone: Callable[[], None]) -> None:
        following = await self._receive()
        if not self.over and following["type"] == "http.disconnect":
            gone()
        if self._message is not None:
            await self._taken.wait()
        self._message = following
        self._arrived.set()

    async def receive(self) -> Message:
        await self._arrived.wait()
        if self._failure is not None:
            raise self._failure
        message = self._message
        assert message is not None
        if message["type"] != "http.disconnect":  # which is for all who ask
            self._message = None
            self._arrived.clear()
            self._taken.set()
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.over = True
        await self._send(message)


def printable(request_id: str) -> str:
    """What a client sends goes into log lines: no line breaks, and no novels."""
    return "".join(filter(str.isprintable, request_id))[:128]
