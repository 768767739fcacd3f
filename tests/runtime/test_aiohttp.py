"""Behaviour 25: the two aiohttp programs of seed ``aiotask_context``, on the loopback.

The handlers, the middleware and the filter are the seed's; what differs is how they are started (on
a free port), that a middleware holds each request until all have arrived, and that the access
log, which aiohttp writes in the connection's own task, is left to aiohttp.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import pytest
import uvloop
from aiohttp import web

from logctx_lint.runtime import tasks as context

REQUESTS = 100

pytestmark = pytest.mark.filterwarnings("ignore:old-style middleware:DeprecationWarning")


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop() if request.param == "asyncio" else uvloop.new_event_loop()
    made.set_task_factory(context.task_factory)
    yield made
    made.run_until_complete(made.shutdown_asyncgens())
    made.close()


async def request_id_middleware(
    app: web.Application, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def middleware_handler(request: web.Request) -> web.StreamResponse:
        context.set("X-Request-ID", request.headers.get("X-Request-ID", str(uuid.uuid4())))
        response = await handler(request)
        response.headers["X-Request-ID"] = context.get("X-Request-ID")
        return response

    return middleware_handler


class Rendezvous:
    """A middleware that lets nobody through before everybody is there."""

    def __init__(self) -> None:
        self.arrived = 0
        self.all_here = asyncio.Event()

    async def middleware(
        self, app: web.Application, handler: Callable[[web.Request], Awaitable[Any]]
    ) -> Callable[[web.Request], Awaitable[Any]]:
        async def wait(request: web.Request) -> Any:
            self.arrived += 1
            if self.arrived == REQUESTS:
                self.all_here.set()
            await self.all_here.wait()
            return await handler(request)

        return wait


async def ask_all(handle: Callable[[web.Request], Awaitable[web.Response]]) -> list[Any]:
    """Serve, ask 100 times at once, and return (name, id sent, text, id in the answer) of each."""
    rendezvous = Rendezvous()
    app = web.Application(
        middlewares=[request_id_middleware, rendezvous.middleware]  # type: ignore[list-item]
    )
    app.router.add_route("GET", "/{name}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]

    async def ask(session: aiohttp.ClientSession, number: int) -> Any:
        sent = f"id-{number}" if number % 2 else None  # every second leaves it to the server
        headers = {"X-Request-ID": sent} if sent else {}
        url = f"http://127.0.0.1:{port}/name-{number}"
        async with session.get(url, headers=headers) as response:
            return f"name-{number}", sent, await response.text(), response.headers["X-Request-ID"]

    connector = aiohttp.TCPConnector(limit=0)
    try:
        async with aiohttp.ClientSession(connector=connector) as session:
            return list(await asyncio.gather(*(ask(session, n) for n in range(REQUESTS))))
    finally:
        await runner.cleanup()


def check(answers: list[Any]) -> set[str]:
    """No id is mixed up; returns them."""
    for name, sent, text, received in answers:
        assert text == f"Hello, {name}. Your request id is {received}.\n"
        assert sent in (None, received)
    ids = {received for _, _, _, received in answers}
    assert len(answers) == len(ids) == REQUESTS
    return ids


def test_sharing_the_request_id(loop: asyncio.AbstractEventLoop) -> None:
    async def handle(request: web.Request) -> web.Response:
        name = request.match_info.get("name", "Anonymous")
        text = "Hello, {}. Your request id is {}.\n".format(name, context.get("X-Request-ID"))
        return web.Response(text=text)

    check(loop.run_until_complete(ask_all(handle)))


def test_request_id_in_all_log_calls(loop: asyncio.AbstractEventLoop) -> None:
    class RequestIdFilter(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            record.request_id = context.get("X-Request-ID")
            return True

    logged: list[tuple[str, str]] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.append((record.request_id, record.getMessage()))  # type: ignore[attr-defined]

    logger = logging.getLogger("seed.aiohttp")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    handler = Keep()
    logger.addHandler(handler)
    logger.addFilter(RequestIdFilter())

    async def first_call() -> None:
        logger.warning("First_call called")

    async def second_call() -> None:
        logger.error("Second_call called")

    async def handle(request: web.Request) -> web.Response:
        name = request.match_info.get("name")
        await asyncio.gather(first_call())
        await second_call()
        logger.info(f"Received new GET /{name} call")
        text = "Hello, {}. Your request id is {}.\n".format(name, context.get("X-Request-ID"))
        return web.Response(text=text)

    answers = loop.run_until_complete(ask_all(handle))
    logger.removeHandler(handler)
    ids = check(answers)
    received = {name: each for name, _, _, each in answers}
    assert len(logged) == 3 * REQUESTS
    for text in ("First_call called", "Second_call called"):
        assert {each for each, message in logged if message == text} == ids
    for each, message in logged:
        if message.startswith("Received"):
            assert each == received[message.split("/")[1].split()[0]]
