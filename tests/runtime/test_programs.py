"""Random programs of contexts, background starts, cancellations and threads, against a model.

The model is that a program runs in the context it is written in: each step is made knowing the
name of its context, and finds it in place. None is lost, leaked or crossed.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from logctx_lint.runtime import tasks
from logctx_lint.runtime.cancellation import delay_cancellation, stop_cancellation
from logctx_lint.runtime.context import (
    SENTINEL_CONTEXT,
    LoggingContext,
    PreserveLoggingContext,
    collected_reports,
    configure,
    current_context,
    in_child_context,
    nested_logging_context,
)
from logctx_lint.runtime.deferreds import make_deferred_yieldable, run_in_background
from logctx_lint.runtime.futures import make_future_yieldable

from .conftest import STORAGES


@dataclass(frozen=True)
class Step:
    """``kind`` says what happens; ``body`` is the program inside of it."""

    kind: str
    body: tuple[Step, ...] = ()


LEAVES = st.sampled_from(["wait", "check"]).map(Step)
BLOCKS = ("enter", "preserve", "start", "start and cancel", "thread", "delay", "stop", "raise")


def blocks(programs: st.SearchStrategy[tuple[Step, ...]]) -> st.SearchStrategy[Step]:
    return st.builds(Step, st.sampled_from(BLOCKS), programs)


STEPS: st.SearchStrategy[Step] = st.recursive(
    LEAVES, lambda steps: blocks(st.lists(steps, max_size=4).map(tuple)), max_leaves=20
)
PROGRAMS = st.lists(STEPS, min_size=1, max_size=6).map(tuple)


class Fault(Exception):
    """What a program raises, and catches outside of the block."""


class World:
    """What differs between Twisted and asyncio."""

    cancelled: type[BaseException]

    async def wait(self) -> None:
        raise NotImplementedError

    def start(self, f: Callable[[], Awaitable[None]]) -> Any:
        raise NotImplementedError

    async def join(self, started: Any) -> None:
        raise NotImplementedError

    async def in_thread(self, f: Callable[[], None]) -> None:
        raise NotImplementedError


class OnTwisted(World):
    cancelled = defer.CancelledError

    def __init__(self) -> None:
        self.clock = Clock()

    async def wait(self) -> None:
        waiting: Deferred[None] = Deferred()
        self.clock.callLater(1, lambda: None if waiting.called else waiting.callback(None))
        await make_deferred_yieldable(waiting)

    def start(self, f: Callable[[], Awaitable[None]]) -> Any:
        return run_in_background(f)

    async def join(self, started: Any) -> None:
        await make_deferred_yieldable(started)

    async def in_thread(self, f: Callable[[], None]) -> None:
        thread = threading.Thread(target=in_child_context(f))
        thread.start()
        thread.join()


class OnAsyncio(World):
    cancelled = asyncio.CancelledError

    async def wait(self) -> None:
        await make_future_yieldable(asyncio.ensure_future(asyncio.sleep(0)))

    def start(self, f: Callable[[], Awaitable[None]]) -> Any:
        return tasks.run_in_background(f)

    async def join(self, started: Any) -> None:
        await make_future_yieldable(started)

    async def in_thread(self, f: Callable[[], None]) -> None:
        await delay_cancellation(tasks.run_in_executor(None, f))


class Run:
    """Runs a program; ``wrong`` is what was found in another context than it was written in."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.wrong: list[str] = []

    def check(self, where: str) -> None:
        if str(current_context()) != where:
            self.wrong.append(f"{current_context()} instead of {where}")

    async def program(self, steps: tuple[Step, ...], where: str) -> None:
        for number, step in enumerate(steps):
            self.check(where)
            await self.step(step, number, where)
            self.check(where)

    async def step(self, step: Step, number: int, where: str) -> None:
        world = self.world
        if step.kind == "wait":
            await world.wait()
        elif step.kind == "enter":
            with nested_logging_context(str(number)):
                await self.program(step.body, f"{where}-{number}")
        elif step.kind == "preserve":
            with PreserveLoggingContext():
                await self.program(step.body, "sentinel")
        elif step.kind == "raise":
            with contextlib.suppress(Fault), nested_logging_context(str(number)):
                await self.program(step.body, f"{where}-{number}")
                raise Fault
        elif step.kind == "thread":
            await world.in_thread(lambda: self.synchronously(step.body, where))
        else:
            started = world.start(lambda: self.program(step.body, where))
            self.check(where)
            try:
                await self.wait_for(started, step.kind)
            finally:  # it must not outlive the context
                with contextlib.suppress(world.cancelled):
                    await world.join(delay_cancellation(started))

    async def wait_for(self, started: Any, how: str) -> None:
        world = self.world
        if how == "delay":
            await world.join(delay_cancellation(started))
        elif how == "stop":
            await world.join(stop_cancellation(started))
        else:
            await world.wait()
            if how == "start and cancel":
                with PreserveLoggingContext():
                    started.cancel()

    def synchronously(self, steps: tuple[Step, ...], where: str) -> None:
        """What can be done in a thread."""
        for number, step in enumerate(steps):
            self.check(where)
            if step.kind in ("enter", "raise"):
                with nested_logging_context(str(number)):
                    self.synchronously(step.body, f"{where}-{number}")
            elif step.kind == "preserve":
                with PreserveLoggingContext():
                    self.synchronously(step.body, "sentinel")
            self.check(where)

    async def request(self, number: int, steps: tuple[Step, ...]) -> None:
        with LoggingContext(f"request-{number}"):
            await self.program(steps, f"request-{number}")


def expect_cancellation(failure: Failure) -> None:
    failure.trap(defer.CancelledError)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("storage_name", STORAGES)
@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(programs=st.lists(PROGRAMS, min_size=1, max_size=3), cancel_at=st.integers(0, 6))
def test_programs_on_twisted(storage_name: Any, programs: Any, cancel_at: int) -> None:
    configure(storage=storage_name)
    world = OnTwisted()
    run = Run(world)
    with collected_reports() as reports:
        requests = [
            run_in_background(run.request, number, steps) for number, steps in enumerate(programs)
        ]
        for _ in range(500):
            assert current_context() is SENTINEL_CONTEXT
            if not world.clock.getDelayedCalls():
                break
            if not cancel_at:
                requests[0].cancel()
            cancel_at -= 1
            world.clock.advance(1)
        assert all(request.called for request in requests)
        for request in requests:
            request.addErrback(expect_cancellation)
    assert (run.wrong, reports) == ([], [])
    assert current_context() is SENTINEL_CONTEXT


@pytest.mark.parametrize("storage_name", STORAGES)
@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(programs=st.lists(PROGRAMS, min_size=1, max_size=3), cancel_at=st.integers(0, 6))
def test_programs_on_asyncio(storage_name: Any, programs: Any, cancel_at: int) -> None:
    configure(storage=storage_name)
    run = Run(OnAsyncio())
    loop_s_own: list[Any] = []

    async def main() -> None:
        requests = [
            tasks.run_in_background(run.request, number, steps)
            for number, steps in enumerate(programs)
        ]
        loop = asyncio.get_running_loop()
        for _ in range(cancel_at):
            loop.call_soon(lambda: loop_s_own.append(current_context()))
            await asyncio.sleep(0)
        if cancel_at < 6:
            requests[0].cancel()
        _, pending = await asyncio.wait(requests, timeout=20)
        assert not pending
        for request in requests:
            if not request.cancelled():
                request.result()

    with collected_reports() as reports:
        asyncio.run(main())
    assert (run.wrong, reports) == ([], [])
    assert set(loop_s_own) <= {SENTINEL_CONTEXT}
