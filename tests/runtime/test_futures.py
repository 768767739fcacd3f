"""The asyncio half of rows 26 and 31 to 34 of the specification; runs without Twisted."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest

from logctx_lint import runtime
from logctx_lint.runtime import context, tasks
from logctx_lint.runtime.cancellation import delay_cancellation, stop_cancellation
from logctx_lint.runtime.context import (
    SENTINEL_CONTEXT,
    LoggingContext,
    PreserveLoggingContext,
    configure,
    current_context,
    nested_logging_context,
    set_current_context,
)
from logctx_lint.runtime.futures import (
    make_future_yieldable,
)

from .helpers import LogLines, Main, logger

# --- 26: the sentinel takes every call


def test_sentinel_takes_every_call_of_a_context() -> None:
    calls: dict[str, tuple[Any, ...]] = {
        "start": (None,),
        "stop": (None,),
        "add_cputime": (1.0, 1.0),
        "add_database_transaction": (1.0,),
        "add_database_scheduled": (1.0,),
        "record_event_fetch": (1,),
        "get_resource_usage": (),
    }
    public = {
        name
        for name, member in vars(LoggingContext).items()
        if callable(member) and not name.startswith("_")
    }
    assert public == set(calls)
    for name, args in calls.items():
        getattr(SENTINEL_CONTEXT, name)(*args)
    assert SENTINEL_CONTEXT.get_resource_usage() == runtime.ContextResourceUsage()


def test_sentinel_has_every_attribute_of_a_context() -> None:
    ours = LoggingContext()
    public = {name for name in LoggingContext.__slots__ if not name.startswith("_")}
    for name in public - {"main_thread"}:
        assert hasattr(SENTINEL_CONTEXT, name), name
        assert hasattr(ours, name), name


# --- 31: delay_cancellation of a coroutine starts at once


def test_delayed_work_goes_on_although_the_gather_is_cancelled_before_it_starts(
    each_storage: str, run: Callable[[Main], Any]
) -> None:
    done: list[str] = []

    async def work() -> None:
        await make_future_yieldable(asyncio.ensure_future(asyncio.sleep(0)))
        done.append(str(current_context()))

    async def main() -> None:
        with LoggingContext("request"):
            gathered = asyncio.gather(delay_cancellation(work()), delay_cancellation(work()))
            gathered.cancel()
            with pytest.raises(asyncio.CancelledError):
                await make_future_yieldable(gathered)
            assert done == ["request", "request"]

    run(main)


def test_delayed_coroutine_runs_even_if_nobody_awaits(run: Callable[[Main], Any]) -> None:
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    async def main() -> None:
        delay_cancellation(work())
        await asyncio.sleep(0)
        assert done == [1]

    run(main)


def test_delayed_twice_gives_both_waiters_the_result(run: Callable[[Main], Any]) -> None:
    async def main() -> None:
        for outcome in ("result", "failure"):
            original: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            waiters = [delay_cancellation(original), delay_cancellation(original)]
            if outcome == "result":
                original.set_result("result")
                assert [await waiter for waiter in waiters] == ["result", "result"]
            else:
                original.set_exception(KeyError("lost"))
                for waiter in waiters:
                    with pytest.raises(KeyError):
                        await waiter

    run(main)


def test_delayed_task_waits_for_every_cancellation(
    each_storage: str, run: Callable[[Main], Any]
) -> None:
    steps: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0.01)
        steps.append("worked")

    async def request() -> None:
        with LoggingContext("request"):
            try:
                await delay_cancellation(work())
            finally:
                steps.append(f"over in {current_context()}")

    async def main() -> None:
        task = asyncio.ensure_future(request())
        for _ in range(3):
            await asyncio.sleep(0)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert steps == ["worked", "over in request"]

    run(main)


def test_stopped_coroutine_runs_in_the_caller_s_context(
    each_storage: str, run: Callable[[Main], Any]
) -> None:
    async def work() -> str:
        return str(current_context())

    async def main() -> None:
        with LoggingContext("request"):
            assert await make_future_yieldable(stop_cancellation(work())) == "request"

    run(main)


# --- 32: the caller's context after tasks.run_in_background, whatever it starts does


def clears_it() -> None:
    set_current_context(SENTINEL_CONTEXT)


def enters_another() -> None:
    LoggingContext("another").__enter__()


def enters_another_and_raises() -> None:
    enters_another()
    raise KeyError("f")


async def enters_another_and_waits() -> None:
    enters_another()
    await asyncio.sleep(0)


# Eager tasks came with Python 3.12.
@pytest.mark.parametrize("eager", [False, True] if sys.version_info >= (3, 12) else [False])
@pytest.mark.parametrize(
    "f", [clears_it, enters_another, enters_another_and_raises, enters_another_and_waits]
)
def test_background_restores_the_caller_s_context(
    each_storage: str, run: Callable[[Main], Any], f: Callable[[], Any], eager: bool
) -> None:
    async def main() -> None:
        if eager:
            asyncio.get_running_loop().set_task_factory(
                asyncio.eager_task_factory  # type: ignore[attr-defined,unused-ignore]
            )
        with LoggingContext("request") as request:
            future = tasks.run_in_background(f)
            assert current_context() is request
        with contextlib.suppress(KeyError):
            await future
        set_current_context(SENTINEL_CONTEXT)

    run(main)


# --- 33: contextvar storage in threads


def test_nested_contexts_in_threads_that_copy_the_context_variables(
    contextvar_storage: None, run: Callable[[Main], Any], lines: LogLines
) -> None:
    """What asyncio.to_thread and FastAPI's sync endpoints do, under strict."""
    configure(strict=True)

    def endpoint(number: int) -> None:
        assert str(current_context()) == f"request-{number}"
        with nested_logging_context("query"):
            logger.info("in thread")
        with LoggingContext("own"), PreserveLoggingContext():
            pass
        assert str(current_context()) == f"request-{number}"

    async def request(number: int) -> None:
        with LoggingContext(f"request-{number}", request=f"id-{number}"):
            await asyncio.to_thread(endpoint, number)

    async def main() -> None:
        await asyncio.gather(*(request(number) for number in range(100)))

    run(main)
    assert sorted(lines.lines) == sorted(f"id-{number}: in thread" for number in range(100))


def test_context_made_elsewhere_may_be_entered_in_a_thread(contextvar_storage: None) -> None:
    configure(strict=True)
    ours = LoggingContext("ours")

    def in_thread() -> None:
        with ours:
            assert current_context() is ours

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(contextvars.copy_context().run, in_thread).result()


def test_the_thread_check_is_thread_local_storage_s(reports: list[str]) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(set_current_context, LoggingContext("ours")).result()
    assert reports == ["Started log context ours on a different thread"]


# --- 34: attributes


def test_attributes_reach_nested_contexts_and_pool_threads(
    each_storage: str, run: Callable[[Main], Any]
) -> None:
    formatter = logging.Formatter("%(request)s %(user)s %(message)s")
    handler = LogLines()
    handler.setFormatter(formatter)
    handler.addFilter(context.LoggingContextFilter())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)

    async def main() -> None:
        with LoggingContext("request", request="id") as request:
            request.user = "alice"
            with nested_logging_context("part") as part:
                logger.info("nested")
                part.user = "bob"
                logger.info("changed")
            logger.info("not changed")
            await make_future_yieldable(tasks.run_in_executor(None, logger.info, "in a thread"))
            logger.info("extra", extra={"user": "carol"})
            logger.info("both", extra={"request": "other"})

    try:
        run(main)
    finally:
        logger.removeHandler(handler)
    assert handler.lines == [
        "id alice nested",
        "id bob changed",
        "id alice not changed",
        "id alice in a thread",
        "id carol extra",
        "other alice both",
    ]
