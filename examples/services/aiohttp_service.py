"""An aiohttp application: ids on every line, its access and error lines included.

``python aiohttp_service.py PORT_FILE REQUESTS``: writes its port, serves so many requests, and
stops.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from aiohttp import web
from service_logging import start_logging

from logctx_lint.runtime import cancellable, configure, current_context, nested_logging_context
from logctx_lint.runtime.aiohttp_middleware import (
    LoggingContextAccessLogger,
    logging_context_middleware,
)
from logctx_lint.runtime.tasks import run_as_background_process, run_in_background

logger = logging.getLogger("shop")


async def look_up(number: str) -> None:
    await asyncio.sleep(0.01)
    logger.info("looked up %s", number)


def blocking(number: str) -> None:
    with nested_logging_context("thread"):
        logger.info("computed %s", number)


async def clean_up() -> None:
    logger.info("cleaned up")


async def order(request: web.Request) -> web.Response:
    number = request.match_info["number"]
    logger.info("ordered %s", number)
    await asyncio.gather(run_in_background(look_up, number), asyncio.to_thread(blocking, number))
    run_as_background_process("clean_up", clean_up)
    return web.Response(text=f"{number} {current_context().request}")


async def fail(request: web.Request) -> web.Response:
    await asyncio.sleep(0.01)
    raise KeyError(request.match_info["number"])


@cancellable
async def wait(request: web.Request) -> web.Response:
    try:
        await asyncio.sleep(30)
    finally:
        logger.info("stopped waiting %s", request.match_info["number"])
    return web.Response(text="waited")


class Countdown:
    """Stops the service after so many requests."""

    def __init__(self, requests: int) -> None:
        self.remaining = requests
        self.over = asyncio.Event()

    @web.middleware
    async def middleware(self, request: web.Request, handler):  # type: ignore[no-untyped-def]
        try:
            return await handler(request)
        finally:
            self.remaining -= 1
            if not self.remaining:
                self.over.set()


async def main(port_file: str, requests: int) -> None:
    configure(storage="contextvar", strict=True)
    countdown = Countdown(requests)
    app = web.Application(middlewares=[logging_context_middleware(), countdown.middleware])
    app.router.add_get("/order/{number}", order)
    app.router.add_get("/fail/{number}", fail)
    app.router.add_get("/wait/{number}", wait)
    runner = web.AppRunner(
        app, access_log_class=LoggingContextAccessLogger, handler_cancellation=True
    )
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    Path(port_file).write_text(str(runner.addresses[0][1]))
    over = asyncio.ensure_future(countdown.over.wait())
    await asyncio.wait([over], timeout=60)
    over.cancel()
    await runner.cleanup()
    await asyncio.sleep(0)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    logger.info("left: %s %d", current_context(), len(left))


if __name__ == "__main__":
    listener = start_logging()
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
    listener.stop()
