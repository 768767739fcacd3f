"""A Starlette application on uvicorn: ids on every line, its access and error lines included.

``python asgi_service.py PORT_FILE REQUESTS``: writes its port, serves so many requests, and stops.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import Any

import uvicorn
from service_logging import start_logging
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from logctx_lint.runtime import cancellable, configure, current_context, nested_logging_context
from logctx_lint.runtime.asgi import LoggingContextMiddleware
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


async def order(request: Request) -> PlainTextResponse:
    number = request.path_params["number"]
    logger.info("ordered %s", number)
    await asyncio.gather(run_in_background(look_up, number), asyncio.to_thread(blocking, number))
    run_as_background_process("clean_up", clean_up)
    return PlainTextResponse(f"{number} {current_context().request}")


async def fail(request: Request) -> PlainTextResponse:
    await asyncio.sleep(0.01)
    raise KeyError(request.path_params["number"])


@cancellable
async def wait(request: Request) -> PlainTextResponse:
    try:
        await asyncio.sleep(30)
    finally:
        logger.info("stopped waiting %s", request.path_params["number"])
    return PlainTextResponse("waited")


def sync_endpoint(request: Request) -> PlainTextResponse:  # Starlette runs it in a thread
    with nested_logging_context("sync"):
        logger.info("blocked %s", request.path_params["number"])
    return PlainTextResponse(f"{request.path_params['number']} {current_context().request}")


starlette = Starlette(
    routes=[
        Route("/order/{number}", order),
        Route("/fail/{number}", fail),
        Route("/wait/{number}", wait),
        Route("/sync/{number}", sync_endpoint),
    ]
)
app = LoggingContextMiddleware(starlette)


class Countdown:
    """Stops the service after so many requests, answered or not."""

    def __init__(self, requests: int) -> None:
        self.remaining = requests
        self.over = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        finally:
            if scope["type"] == "http":
                self.remaining -= 1
            if not self.remaining:
                self.over.set()


async def main(port_file: str, requests: int) -> None:
    configure(storage="contextvar", strict=True)
    countdown = Countdown(requests)
    config = uvicorn.Config(countdown, port=0, log_config=None, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    Path(port_file).write_text(str(port))
    over = asyncio.ensure_future(countdown.over.wait())
    await asyncio.wait([over], timeout=60)
    over.cancel()
    server.should_exit = True
    await serving
    left = asyncio.all_tasks() - {asyncio.current_task()}
    logger.info("left: %s %d", current_context(), len(left))


if __name__ == "__main__":
    listener = start_logging()
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
    listener.stop()
