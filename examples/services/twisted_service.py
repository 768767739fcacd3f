"""A twisted.web site: ids on every line, its access and error lines included.

``python twisted_service.py PORT_FILE REQUESTS``: writes its port, serves so many requests, and
stops.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

from service_logging import start_logging
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.logger import STDLibLogObserver, globalLogBeginner
from twisted.web.resource import Resource
from twisted.web.server import Site

from logctx_lint.runtime import (
    LoggingContext,
    PreserveLoggingContext,
    async_render,
    blocking_render,
    cancellable,
    configure,
    current_context,
    gather_optional_coroutines,
    make_deferred_yieldable,
    nested_logging_context,
    run_as_background_process,
)

logger = logging.getLogger("shop")
access_logger = logging.getLogger("shop.access")


async def sleep(seconds: float) -> None:
    await make_deferred_yieldable(deferLater(reactor, seconds, lambda: None))


async def look_up(number: str) -> None:
    await sleep(0.01)
    logger.info("looked up %s", number)


async def clean_up() -> None:
    logger.info("cleaned up")


def adopt_request_id(request: Any) -> str:
    """The request's id, from its header, becomes that of the log context."""
    request_id: str = request.getHeader("X-Request-ID") or str(current_context())
    current_context().request = request_id
    request.setHeader("X-Request-ID", request_id)
    return request_id


class Order(Resource):
    isLeaf = True

    @async_render
    async def render_GET(self, request: Any) -> str:
        request_id = adopt_request_id(request)
        number = request.postpath[0].decode()
        logger.info("ordered %s", number)
        await gather_optional_coroutines(look_up(number), look_up(number))
        run_as_background_process("clean_up", clean_up)
        return f"{number} {request_id}"


class Blocking(Resource):
    isLeaf = True

    def render_GET(self, request: Any) -> int:
        context = LoggingContext("block", request=request.getHeader("X-Request-ID"))
        with PreserveLoggingContext(context):  # which that of the request inherits from
            return self.page(request, request.postpath[0].decode())

    @blocking_render
    def page(self, request: Any, number: str) -> str:  # in a thread: must not touch the request
        with nested_logging_context("part"):
            logger.info("computed %s", number)
        return number


class Fail(Resource):
    isLeaf = True

    @async_render
    async def render_GET(self, request: Any) -> str:
        adopt_request_id(request)
        await sleep(0.01)
        raise KeyError(request.postpath[0].decode())


class Wait(Resource):
    isLeaf = True

    @async_render
    @cancellable
    async def render_GET(self, request: Any) -> str:
        adopt_request_id(request)
        try:
            await sleep(30)
        finally:
            logger.info("stopped waiting %s", request.postpath[0].decode())
        return "waited"


class LoggingSite(Site):
    """Writes its access lines through logging: they are written while a request is finished, in
    its log context. Stops after so many requests."""

    def __init__(self, root: Resource, requests: int) -> None:
        super().__init__(root)
        self.remaining = requests

    def getResourceFor(self, request: Any) -> Any:
        request.notifyFinish().addBoth(self._over)
        return super().getResourceFor(request)

    def log(self, request: Any) -> None:
        access_logger.info(
            '"%s %s" %d', request.method.decode(), request.uri.decode(), request.code
        )

    def _over(self, _: object) -> None:
        self.remaining -= 1
        if not self.remaining:
            reactor.callLater(0.5, reactor.stop)


def main(port_file: str, requests: int) -> None:
    configure(strict=True)
    # Twisted's own log, where async_render reports failures, goes to logging only with this.
    globalLogBeginner.beginLoggingTo([STDLibLogObserver()], redirectStandardIO=False)
    root = Resource()
    for path, resource in (
        (b"order", Order()),
        (b"block", Blocking()),
        (b"fail", Fail()),
        (b"wait", Wait()),
    ):
        root.putChild(path, resource)
    port = reactor.listenTCP(0, LoggingSite(root, requests), interface="127.0.0.1", backlog=1024)
    Path(port_file).write_text(str(port.getHost().port))
    reactor.callLater(60, reactor.stop)
    reactor.run()
    logger.info("left: %s %d", current_context(), 0)


if __name__ == "__main__":
    listener = start_logging()
    main(sys.argv[1], int(sys.argv[2]))
    listener.stop()
