"""Rendering twisted.web resources with blocking methods and with coroutines.

Answers the question of seed ``twisted_deferred_web``: a request that is answered later must be
answered exactly once, or not at all when its client has gone. Both answers there break that in
one place: they append a traceback to a page already begun, or finish a request twice.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

try:
    from twisted.internet.defer import CancelledError, ensureDeferred
    from twisted.logger import Logger
    from twisted.python.failure import Failure
    from twisted.web.server import NOT_DONE_YET
except ImportError as error:
    raise ImportError("this needs Twisted: pip install 'logctx-lint[twisted]'") from error

from .accounting import accounted
from .cancellation import is_function_cancellable
from .context import LoggingContext, PreserveLoggingContext, current_context
from .deferreds import defer_to_thread

__all__ = ["async_render", "blocking_render"]

_log = Logger()
_numbers = itertools.count(1)

RenderMethod = Callable[..., Any]
F = TypeVar("F", bound=RenderMethod)


def blocking_render(method: RenderMethod) -> Callable[..., int]:
    """Decorator: run a blocking ``render_*`` method in the reactor's thread pool.

    Use it on ``render_GET`` itself, or on a helper ``(self, request, ...)`` that ``render_GET``
    calls. The method returns its page, ``bytes`` or ``str`` (which is encoded with the charset
    of the content type, UTF-8 by default), as if it had been called directly; it must not write
    to the request, which belongs to the reactor's thread.

    - An exception is answered as twisted.web answers one from a plain method: logged once, with a
      traceback page only if the site's ``displayTracebacks`` asks for it.
    - A page already begun gets nothing appended: the connection is closed, so that the client sees
      that the page is not complete.
    - Nothing is written once the request is finished or the client gone; a page is dropped, a
      failure still logged. A method that still waits for a thread then is not called.

    The request has a log context of its own, a child of the current one if any, and the method
    runs in a child of that. Seed ``twisted_deferred_web``.
    """

    @functools.wraps(method)
    def render(self: Any, request: Any, *args: Any, **kwargs: Any) -> int:
        from twisted.internet import reactor

        def start(exchange: _Exchange) -> Awaitable[Any]:
            def in_thread() -> Any:
                if exchange.over:  # its client has gone while it waited for a thread
                    return NOT_DONE_YET
                return method(self, request, *args, **kwargs)

            return defer_to_thread(reactor, in_thread)

        return _serve(request, start, cancel=False)

    return render


def async_render(method: RenderMethod) -> Callable[..., int]:
    """Decorator: a ``render_*`` method that is a coroutine function, in a log context of its own.

    Returns its page like a method under ``blocking_render``, and fails like one. When the client
    goes away while it is being processed, a method marked ``@cancellable`` is cancelled, in the
    sentinel context; any other runs to its end, and its page is dropped. Seed ``cancellation``.
    """

    @functools.wraps(method)
    def render(self: Any, request: Any, *args: Any, **kwargs: Any) -> int:
        def start(exchange: _Exchange) -> Awaitable[Any]:
            return method(self, request, *args, **kwargs)  # type: ignore[no-any-return]

        return _serve(request, start, cancel=is_function_cancellable(render))

    return render


def _serve(request: Any, start: Callable[[_Exchange], Awaitable[Any]], cancel: bool) -> int:
    """Answer the request with what ``start(exchange)`` gives, called in its log context."""
    parent = current_context()
    name = f"{request.method.decode('ascii', 'replace')}-{next(_numbers)}"
    context = LoggingContext(name, parent_context=parent or None)
    exchange = _Exchange(request)

    async def process() -> None:
        with context:
            try:
                exchange.answer(await start(exchange))
            except GeneratorExit:
                raise
            except BaseException:  # noqa: LCX301 - whatever it is, somebody waits for an answer
                exchange.fail(Failure())  # type: ignore[no-untyped-call]

    # Under the sentinel, for its end must not restore a context that may be finished by then.
    with PreserveLoggingContext():
        processing = ensureDeferred(accounted(process()))

    if cancel and not processing.called:
        exchange.when_gone = processing.cancel
    return NOT_DONE_YET


class _Exchange:
    """One request and its answer: knows whether there is still somebody to write to."""

    def __init__(self, request: Any) -> None:
        self.request = request
        # Finished, by whomever, or the client gone.
        self.over = bool(request.finished or request._disconnected)
        self.when_gone: Callable[[], None] | None = None
        request.notifyFinish().addCallbacks(self._finished, self._gone)

    def _finished(self, _: object) -> None:
        self.over = True

    def _gone(self, _: object) -> None:
        self.over = True
        if self.when_gone is not None:
            # Whatever is cancelled restores its own log context, and must not end in this one.
            with PreserveLoggingContext():
                self.when_gone()

    def answer(self, page: Any) -> None:
        if self.over or page is NOT_DONE_YET:
            return
        request = self.request
        if isinstance(page, str):
            page = page.encode(_charset(request))
        if not isinstance(page, bytes):
            raise TypeError(f"a render method must return bytes or str, not {type(page).__name__}")
        # With a length, a client can tell a whole page from one that was cut short.
        request.setHeader(b"content-length", b"%d" % len(page))
        request.write(page)
        request.finish()

    def fail(self, failure: Any) -> None:
        request = self.request
        if self.over:
            if not failure.check(CancelledError):
                _log.failure("Failed after the end of {request!r}", failure, request=request)
        elif request.startedWriting:
            _log.failure(
                "Failed in the middle of the page of {request!r}", failure, request=request
            )
            request.loseConnection()
        else:
            self._send_failure(failure)

    def _send_failure(self, failure: Any) -> None:
        try:
            self.request.processingFailed(failure)  # logs it, and obeys displayTracebacks
        except Exception:
            _log.failure("Could not send the error page of {request!r}", request=self.request)
            if not self.over:
                self.request.loseConnection()


def _charset(request: Any) -> str:
    content_type = request.responseHeaders.getRawHeaders("content-type", [""])[0]
    _, _, charset = content_type.partition("charset=")
    return charset.split(";")[0].strip(' "') or "utf-8"
