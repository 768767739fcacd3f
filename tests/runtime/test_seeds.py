"""Behaviour 22: the programs of the seed documents on log contexts.

Good ones behave and bad ones fail the way the seed says, in both storages. Where a seed calls an
``async def`` without awaiting it, the test uses a function that returns a Deferred: a coroutine
would never run at all, which those examples overlook. The programs of the other two seeds are in
test_tasks, test_aiohttp and test_web_programs.
"""

from __future__ import annotations

import gc

import pytest
from twisted.internet import defer
from twisted.internet.defer import Deferred, ensureDeferred

from logctx_lint.runtime import context
from logctx_lint.runtime.context import (
    SENTINEL_CONTEXT,
    LogContextError,
    LoggingContext,
    PreserveLoggingContext,
    current_context,
)
from logctx_lint.runtime.deferreds import (
    make_deferred_yieldable,
    run_in_background,
)

from .deferred_helpers import result_of
from .helpers import LogLines, logger
from .seed_service import Service, clear_up, request

# --- Log contexts: basic usage


def test_synchronous_code_by_hand(each_storage: str, lines: LogLines) -> None:
    def handle_request(request_id: str) -> None:
        request_context = context.LoggingContext()
        calling_context = context.set_current_context(request_context)
        try:
            request_context.request = request_id
            do_request_handling()
            logger.debug("finished")
        finally:
            context.set_current_context(calling_context)

    def do_request_handling() -> None:
        logger.debug("phew")  # this will be logged against request_id

    handle_request("id-1")
    logger.debug("outside")
    assert lines == ["id-1: phew", "id-1: finished", "sentinel: outside"]


def test_synchronous_code_with_a_context_manager(each_storage: str, lines: LogLines) -> None:
    def handle_request(request_id: str) -> None:
        with context.LoggingContext() as request_context:
            request_context.request = request_id
            do_request_handling()
            logger.debug("finished")

    def do_request_handling() -> None:
        logger.debug("phew")

    handle_request("id-1")
    logger.debug("outside")
    assert lines == ["id-1: phew", "id-1: finished", "sentinel: outside"]


@pytest.mark.parametrize("complete", [True, False], ids=["complete", "incomplete"])
def test_awaiting_just_works(
    each_storage: str, service: Service, lines: LogLines, reports: list[str], complete: bool
) -> None:
    async def handle_request(request_id: str) -> None:
        with context.LoggingContext() as request_context:
            request_context.request = request_id
            await do_request_handling()
            logger.debug("finished")

    async def do_request_handling() -> None:
        if not complete:
            await service.sleep(1)

    ensureDeferred(handle_request("id-1"))
    assert current_context() is SENTINEL_CONTEXT
    service.pass_time(1)
    assert lines == ["id-1: finished"]
    assert current_context() is SENTINEL_CONTEXT
    assert reports == []


def test_always_await_your_awaitables(
    each_storage: str, service: Service, lines: LogLines, reports: list[str]
) -> None:
    async def fun() -> int:
        logger.debug("starting")
        await service.operation(1)  # just like this
        coro = service.operation(2)
        result = await coro  # also fine, of course
        logger.debug("got %d", result)
        return result

    request(fun)
    service.pass_time(3)
    assert lines == [
        "request: starting",
        "request: operation 1",
        "request: operation 2",
        "request: got 2",
    ]
    assert reports == []


def test_forgotten_await_logs_against_the_wrong_context(
    each_storage: str, service: Service, lines: LogLines
) -> None:
    async def fun() -> None:
        service.operation(1)  # forgotten
        logger.debug("ploughing on regardless")

    request(fun)
    lost = each_storage == "thread-local"
    assert lines == [f"{'sentinel' if lost else 'request'}: ploughing on regardless"]
    service.pass_time(1)
    assert lines.lines[-1] == "request: operation 1"  # of a request that is over
    clear_up()


# --- Where you create a new awaitable


def test_raw_deferred_leaks_the_context_in_thread_local_storage(
    each_storage: str, service: Service, reports: list[str]
) -> None:
    async def handler() -> None:
        await service.get_sleep_deferred(1)

    request(handler)
    leaked = each_storage == "thread-local"
    assert str(current_context()) == ("request" if leaked else "sentinel")
    service.pass_time(1)
    assert current_context() is SENTINEL_CONTEXT


def test_yieldable_deferred_does_not(
    each_storage: str, service: Service, reports: list[str]
) -> None:
    request(lambda: service.sleep(1))
    assert current_context() is SENTINEL_CONTEXT
    service.pass_time(1)
    assert current_context() is SENTINEL_CONTEXT
    assert reports == []


# --- Fire-and-forget


def test_fire_and_forget_without_precautions(
    each_storage: str, service: Service, lines: LogLines
) -> None:
    async def do_request_handling() -> None:
        await service.foreground_operation()
        # *don't* do this
        service.background_operation()
        logger.debug("Request handling complete")

    request(do_request_handling)
    service.pass_time(1)
    thread_local = each_storage == "thread-local"
    # "'Request handling complete' will be logged without any context"
    assert lines == [f"{'sentinel' if thread_local else 'request'}: Request handling complete"]
    service.pass_time(2)
    # "the logcontext will leak into the reactor"
    assert str(current_context()) == ("request" if thread_local else "sentinel")
    clear_up()


def test_fire_and_forget_under_the_sentinel(
    each_storage: str, service: Service, lines: LogLines, reports: list[str]
) -> None:
    async def do_request_handling() -> None:
        await service.foreground_operation()
        # start background_operation off in the empty logcontext, to
        # avoid leaking the current context into the reactor.
        with PreserveLoggingContext():
            service.background_operation()
        # this will now be logged against the request context
        logger.debug("Request handling complete")

    request(do_request_handling)
    service.pass_time(3)
    assert lines == [
        "request: Request handling complete",
        "sentinel: Completed first step",
        "sentinel: Completed second step",
    ]
    assert current_context() is SENTINEL_CONTEXT
    assert reports == []


def test_fire_and_forget_in_the_background(
    each_storage: str, service: Service, lines: LogLines, reports: list[str]
) -> None:
    async def do_request_handling() -> None:
        await service.foreground_operation()
        context.run_in_background(service.background_operation)  # type: ignore[attr-defined]
        # this will now be logged against the request context
        logger.debug("Request handling complete")
        await service.sleep(5)  # or the background outlives it: see "Uncancelled processing"

    request(do_request_handling)
    service.pass_time(3)
    assert lines == [
        "request: Request handling complete",
        "request: Completed first step",
        "request: Completed second step",
    ]
    assert current_context() is SENTINEL_CONTEXT
    service.pass_time(3)
    assert reports == []


# --- Passing deferreds into third-party functions


def test_gathering_without_precautions(
    each_storage: str, service: Service, lines: LogLines
) -> None:
    async def do_request_handling() -> None:
        a1 = service.operation(1)
        logger.debug("in between")
        a2 = service.operation(2)
        await make_deferred_yieldable(defer.gatherResults([a1, a2]))

    request(do_request_handling)
    service.pass_time(2)
    lost = each_storage == "thread-local"
    assert lines.lines[:2] == [
        f"{'sentinel' if lost else 'request'}: in between",
        "request: operation 1",
    ]
    # The second was started after the context had gone.
    assert lines.lines[2] == ("sentinel: operation 2" if lost else "request: operation 2")
    clear_up()


def test_gathering_under_the_sentinel(
    each_storage: str, service: Service, lines: LogLines, reports: list[str]
) -> None:
    async def do_request_handling() -> None:
        with PreserveLoggingContext():
            a1 = service.operation(1)
            a2 = service.operation(2)
            result = await defer.gatherResults([a1, a2])
        logger.debug("result %s", result)

    request(do_request_handling)
    service.pass_time(2)
    assert lines == ["sentinel: operation 1", "sentinel: operation 2", "request: result [1, 2]"]
    assert current_context() is SENTINEL_CONTEXT
    assert reports == []


def test_gathering_from_the_background(
    each_storage: str, service: Service, lines: LogLines, reports: list[str]
) -> None:
    async def do_request_handling() -> None:
        a1 = run_in_background(service.operation, 1)
        a2 = run_in_background(service.operation, 2)
        if each_storage == "thread-local":
            result = await make_deferred_yieldable(defer.gatherResults([a1, a2]))
        else:  # as the seed for contextvar storage has it
            result = await defer.gatherResults([a1, a2])
        logger.debug("result %s", result)

    request(do_request_handling)
    service.pass_time(2)
    assert lines == ["request: operation 1", "request: operation 2", "request: result [1, 2]"]
    assert current_context() is SENTINEL_CONTEXT
    assert reports == []


# --- Garbage collection


def test_orphaned_chain_that_is_collected(each_storage: str, reports: list[str]) -> None:
    """Where the seed ends in "incredibly hard to track down", this runtime does not leak."""
    listener_queue: list[Deferred[str]] = []

    def on_something_interesting() -> None:
        for d in listener_queue:
            d.callback("foo")

    async def await_something_interesting() -> str:
        new_awaitable: Deferred[str] = defer.Deferred()
        listener_queue.append(new_awaitable)
        with PreserveLoggingContext():
            return await new_awaitable

    def reset_listener_queue() -> None:
        listener_queue.clear()

    with PreserveLoggingContext(LoggingContext("request")):
        run_in_background(await_something_interesting)
    reset_listener_queue()
    gc.collect()
    assert current_context() is SENTINEL_CONTEXT
    # And while nobody drops it, it works.
    waiting = run_in_background(await_something_interesting)
    on_something_interesting()
    assert result_of(waiting) == "foo"
    assert reports == []


# --- The sentinel context, in the seed for contextvar storage


def test_entering_a_finished_context(
    each_storage: str, lines: LogLines, reports: list[str]
) -> None:
    def main() -> None:
        with context.LoggingContext("main"):
            task_context = context.LoggingContext("task")
            with task_context:
                logger.debug("foo")
            # Bad: will throw an error because `task_context` is already finished
            with task_context:
                logger.debug("bar")
            logger.debug("finished")

    main()
    assert reports == ["Re-starting finished log context task"]
    assert lines == ["task: foo", "task: bar", "main: finished"]


def test_entering_a_finished_context_throws_under_strict(
    each_storage: str, lines: LogLines
) -> None:
    context.configure(strict=True)
    task_context = context.LoggingContext("task")
    with context.LoggingContext("main"):
        with task_context:
            logger.debug("foo")
        with pytest.raises(LogContextError), task_context:
            logger.debug("bar")
        logger.debug("finished")
    assert lines == ["task: foo", "main: finished"]


def test_preserve_sets_a_context_without_finishing_it(
    each_storage: str, lines: LogLines, reports: list[str]
) -> None:
    def main() -> None:
        with context.LoggingContext("main"):
            task_context = context.LoggingContext("task")
            with PreserveLoggingContext(task_context):
                logger.debug("foo")
            with PreserveLoggingContext(task_context):
                logger.debug("bar")
            logger.debug("finished")  # this will be logged against main

    main()
    assert lines == ["task: foo", "task: bar", "main: finished"]
    assert reports == []
