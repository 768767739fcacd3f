"""Fixtures of the runtime's tests. Twisted is imported only by those that need it, so that the
asyncio half can be tested without it."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from logctx_lint.runtime import context, storage

from .helpers import LogLines, Main, RealReactor
from .loops import LOOPS

STORAGES = ["thread-local", "contextvar"]


@pytest.fixture(autouse=True)
def _clean_slate() -> Iterator[None]:
    """Each test starts in the sentinel with the default settings, and must end there."""
    yield
    left, storage_name = context.current_context(), storage.settings.storage
    storage.store(storage.SENTINEL_CELL)
    context.configure(storage="thread-local", strict=False, accounting=True)
    assert not left, f"the test left {left} behind in {storage_name} storage"


@pytest.fixture(autouse=True)
def _no_background_processes_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logctx_lint.runtime.processes._counts", {})


@pytest.fixture(params=STORAGES)
def each_storage(request: pytest.FixtureRequest) -> str:
    context.configure(storage=request.param)
    return str(request.param)


@pytest.fixture
def contextvar_storage() -> None:
    context.configure(storage="contextvar")


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is passed to ``logcontext_error``."""
    messages: list[str] = []
    monkeypatch.setattr(context, "logcontext_error", messages.append)
    return messages


@pytest.fixture
def lines() -> Iterator[LogLines]:
    """What is logged, as ``request: message``."""
    handler = LogLines()
    handler.addFilter(context.LoggingContextFilter())
    logger = logging.getLogger("app")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)


@pytest.fixture
def clock() -> Any:
    from twisted.internet.task import Clock

    return Clock()


@pytest.fixture(scope="session")
def real_reactor() -> Iterator[RealReactor]:
    """Twisted's real reactor, running in a thread of its own."""
    running = RealReactor()
    yield running
    running.stop()


@pytest.fixture
def outcomes() -> Any:
    """See `deferred_helpers.Outcomes`."""
    from .deferred_helpers import Outcomes

    return Outcomes()


@pytest.fixture
def nothing_unhandled(caplog: pytest.LogCaptureFixture) -> Any:
    """Call it to check that no Deferred was collected with an unhandled failure."""
    from twisted.logger import globalLogPublisher

    gc.collect()  # what earlier tests left
    events: list[Any] = []
    publisher: Any = globalLogPublisher
    publisher.addObserver(events.append)

    def check() -> None:
        gc.collect()
        assert [event for event in events if "log_failure" in event] == []

    yield check
    publisher.removeObserver(events.append)


@pytest.fixture
def run() -> Iterator[Callable[[Main], Any]]:
    """Runs a coroutine function; whatever asyncio has to complain of fails the test."""
    loop = asyncio.new_event_loop()
    complaints: list[Any] = []
    loop.set_exception_handler(lambda loop, event: complaints.append(event))

    async def bounded(main: Main) -> Any:
        return await asyncio.wait_for(main(), timeout=30)

    yield lambda main: loop.run_until_complete(bounded(main))
    gc.collect()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert complaints == []


@pytest.fixture
def serve(real_reactor: RealReactor) -> Iterator[Callable[[Any], Any]]:
    """Serves resources on the loopback; see web_helpers."""
    from .web_helpers import Server

    servers: list[Server] = []

    def start(root: Any) -> Server:
        servers.append(Server(real_reactor, root))
        return servers[-1]

    yield start
    for started in servers:
        started.close()


@pytest.fixture
def service(clock: Any) -> Any:
    """The operations that the programs of the seeds use."""
    from .seed_service import Service

    return Service(clock)


@pytest.fixture(params=list(LOOPS))
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    made = LOOPS[request.param]()
    problems: list[Any] = []
    made.set_exception_handler(lambda _, context: problems.append(context))
    yield made
    gc.collect()
    made.close()
    assert problems == []


@pytest.fixture(params=[True, False], ids=["tracebacks", "no tracebacks"])
def tracebacks(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)
