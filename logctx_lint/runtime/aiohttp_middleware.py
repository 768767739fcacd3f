"""aiohttp.web middleware: a log context for each request, cancelled when its client goes away.

Needs contextvar storage.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

try:
    from aiohttp import web
    from aiohttp.abc import AbstractAccessLogger
    from aiohttp.web_log import AccessLogger
except ImportError as error:
    raise ImportError("this needs aiohttp: pip install aiohttp") from error

from . import storage
from .asgi import new_request_id, printable
from .cancellation import delay_cancellation, is_function_cancellable
from .context import LoggingContext, PreserveLoggingContext

__all__ = ["LoggingContextAccessLogger", "logging_context_middleware"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_KEY = "logging_context_request_id"


def logging_context_middleware(
    *, header: str = "X-Request-ID", new_id: Callable[[], str] = new_request_id
) -> Any:
    """A middleware that runs each request in a log context of its own. Make it the first one.

    ``request`` of the context is the header's value, or a new id; it goes back in the same header
    of the response. What a handler raises is logged in the context, and answered as aiohttp
    answers it.

    With ``handler_cancellation=True``, aiohttp cancels each handler whose client goes away; this
    middleware lets that through to handlers that ``@cancellable`` marks, and lets the others run
    to their end. For access lines with the request's id, use ``LoggingContextAccessLogger``.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if storage.thread_local:
            raise RuntimeError("this middleware needs configure(storage='contextvar')")
        request_id = printable(request.headers.get(header, "")) or new_id()
        request[_KEY] = request_id
        with LoggingContext(f"{request.method}-{request_id}", request=request_id):
            try:
                running = handler(request)
                if not is_function_cancellable(request.match_info.handler):
                    running = delay_cancellation(running)
                response = await running
            except web.HTTPException as answer:
                answer.headers[header] = request_id
                raise
            except Exception as error:
                # aiohttp would do this where the request is over, and with it the context.
                response = request.protocol.handle_error(request, 500, error)
        if not response.prepared:
            response.headers[header] = request_id
        return response

    return middleware


class LoggingContextAccessLogger(AbstractAccessLogger):
    """aiohttp's access logger, in a log context of the request: it writes when that is over.

    ``web.run_app(app, access_log_class=LoggingContextAccessLogger)``
    """

    def __init__(self, logger: Any, log_format: str = AccessLogger.LOG_FORMAT) -> None:
        super().__init__(logger, log_format)
        self._plain = AccessLogger(logger, log_format)

    @property
    def enabled(self) -> bool:
        return self._plain.enabled

    def log(self, request: Any, response: Any, time: float) -> None:
        request_id = request.get(_KEY)
        if request_id is None:
            self._plain.log(request, response, time)
            return
        context = LoggingContext(f"{request.method}-{request_id}", request=request_id)
        with PreserveLoggingContext(context):
            self._plain.log(request, response, time)
