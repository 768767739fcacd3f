"""Behaviour 22: the programs of the seed documents on log contexts and on cancellation.

Good ones behave and bad ones fail the way the seed says, in both storages. Where a seed calls an
``async def`` without awaiting it, the test uses a function that returns a Deferred: a coroutine
would never run at all, which those examples overlook. The programs of the other two seeds are in
test_tasks, test_aiohttp and test_web.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

import pytest
from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import Clock

from logctx_lint.runtime import context, storage
from logctx_lint.runtime.cancellation import delay_cancellation, stop_cancellation
from logctx_lint.runtime.context import (
    SENTINEL_CONTEXT,
    LogContextError,
    LoggingContext,
    PreserveLoggingContext,
    current_context,
)
from logctx_lint.runtime.deferreds import (
    ObservableDeferred,
    make_deferred_yieldable,
    run_as_background_process,
    run_in_background,
    unwrapFirstError,
)

from .deferred_helpers import result_of
from .helpers import LogLines, logger

P = ParamSpec("P")
R = TypeVar("R")


def returns_deferred(f: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Deferred[R]]:
    @functools.wraps(f)
    def starts(*args: P.args, **kwargs: P.kwargs) -> Deferred[R]:
        return ensureDeferred(f(*args, **kwargs))

    return starts


class Service:
    """What the examples take for granted: operations that take a second each, by the rules."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.background_steps: list[str] = []

    def get_sleep_deferred(self, seconds: float) -> Deferred[None]:
        # not a logcontext-rules-compliant function
        d: Deferred[None] = Deferred()
        self.clock.callLater(seconds, d.callback, None)
        return d

    async def sleep(self, seconds: float) -> None:
        return await make_deferred_yieldable(self.get_sleep_deferred(seconds))

    async def foreground_operation(self) -> None:
        await self.sleep(1)

    @returns_deferred
    async def background_operation(self) -> None:
        await self.sleep(1)
        logger.debug("Completed first step")
        await self.sleep(1)
        logger.debug("Completed second step")

    @returns_deferred
    async def operation(self, value: int) -> int:
        await self.sleep(value)
        logger.debug("operation %d", value)
        return value

    def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1)


@pytest.fixture
def service(clock: Clock) -> Service:
    return Service(clock)


def request(
    handler: Callable[[], Coroutine[Any, Any, Any]], name: str = "request"
) -> Deferred[Any]:
    """Run a handler in a log context of its own, as a server does."""

    async def handle_request() -> Any:
        with LoggingContext(name):
            return await handler()

    return ensureDeferred(handle_request())


def clear_up() -> None:
    storage.store(storage.SENTINEL_CELL)


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


# --- Cancellation: mechanics and CancelledErrors


def test_cancellation_goes_down_and_comes_up(
    each_storage: str, service: Service, reports: list[str]
) -> None:
    """ "Mechanics": from the handler's Deferred to the one it waits for, and back as an error."""
    waiting_for: list[Deferred[None]] = []

    def do_something() -> Deferred[None]:
        waiting_for.append(Deferred())
        return waiting_for[0]

    async def on_get() -> tuple[int, dict[str, Any]]:
        d = make_deferred_yieldable(do_something())
        await d
        return 200, {}

    handling = request(on_get)
    handling.cancel()
    assert waiting_for[0].called
    assert result_of(handling).type is CancelledError
    assert reports == []


class CancelledErrors:
    """The four ways of the section, as handlers."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def do_something(self) -> None:
        await self.service.sleep(1)

    async def bad(self) -> None:
        try:
            await self.do_something()
        except Exception:
            # `CancelledError` gets swallowed here.
            logger.info("failed")

    async def good(self) -> None:
        try:
            await self.do_something()
        except CancelledError:
            raise
        except Exception:
            logger.info("failed")

    async def ok(self) -> None:
        try:
            self.check_something()
            # A `CancelledError` won't ever be raised here.
        except Exception:
            logger.info("failed")
        await self.do_something()

    async def good_by_type(self) -> None:
        try:
            await self.do_something()
        except ValueError:
            logger.info("failed")

    def check_something(self) -> None:
        raise KeyError


@pytest.mark.parametrize(
    ("handler", "swallowed"),
    [("bad", True), ("good", False), ("ok", False), ("good_by_type", False)],
)
def test_cancelled_error_in_a_handler(
    each_storage: str, service: Service, handler: str, swallowed: bool
) -> None:
    handling = request(getattr(CancelledErrors(service), handler))
    handling.cancel()
    result = result_of(handling)
    if swallowed:
        assert result is None
    else:
        assert result.type is CancelledError
    assert current_context() is SENTINEL_CONTEXT


# --- defer.gatherResults


@pytest.mark.parametrize("unwrap", [False, True], ids=["bad", "good"])
def test_first_error_hides_the_cancellation(
    each_storage: str, service: Service, unwrap: bool
) -> None:
    async def do_something() -> None:
        gathered: Deferred[Any] = make_deferred_yieldable(
            defer.gatherResults(
                [run_in_background(service.sleep, 1) for _ in range(2)], consumeErrors=True
            )
        )
        await (gathered.addErrback(unwrapFirstError) if unwrap else gathered)

    async def handler() -> str:
        try:
            await do_something()
        except CancelledError:
            raise
        except Exception:
            # `FirstError(CancelledError)` gets swallowed here.
            return "swallowed"
        return "not cancelled"

    handling = request(handler)
    handling.cancel()
    result = result_of(handling)
    assert (result.type is CancelledError) if unwrap else (result == "swallowed")


# --- Creation of Deferreds


@pytest.mark.parametrize("stop", [False, True], ids=["bad", "good"])
def test_shared_deferred(each_storage: str, stop: bool, reports: list[str]) -> None:
    cache: dict[str, Deferred[None]] = {}

    def wait_for_room(room_id: str) -> Deferred[None]:
        deferred = cache.get(room_id)
        if deferred is None:
            deferred = Deferred()
            cache[room_id] = deferred
        # Bad: all waiters will observe a `CancelledError` if any one of them is cancelled.
        return make_deferred_yieldable(stop_cancellation(deferred) if stop else deferred)

    async def handler() -> str:
        await wait_for_room("!aAAaaAaaaAAAaAaAA:matrix.org")
        return "done"

    one, two = request(handler, "request-1"), request(handler, "request-2")
    outcomes: list[Any] = []
    two.addBoth(outcomes.append)
    one.cancel()
    assert result_of(one).type is CancelledError
    if stop:
        assert outcomes == []
        cache.popitem()[1].callback(None)
        assert outcomes == ["done"]
        assert reports == []
    else:
        # Cancelling the first ends the second, though nothing has happened that it waits for. (The
        # seed has it observe the CancelledError, but the first waiter has consumed that.)
        assert outcomes == ["done"]
    clear_up()


def test_each_request_has_its_own_deferred(each_storage: str, reports: list[str]) -> None:
    cache: dict[str, list[Deferred[None]]] = {}

    def wait_for_room(room_id: str) -> Deferred[None]:
        if room_id not in cache:
            cache[room_id] = []
        # Each request gets its own `Deferred` to wait on.
        deferred: Deferred[None] = Deferred()
        cache[room_id].append(deferred)
        return make_deferred_yieldable(deferred)

    async def handler() -> str:
        await wait_for_room("!aAAaaAaaaAAAaAaAA:matrix.org")
        return "done"

    one, two = request(handler, "request-1"), request(handler, "request-2")
    one.cancel()
    assert result_of(one).type is CancelledError
    assert not two.called
    cache.popitem()[1][1].callback(None)
    assert result_of(two) == "done"
    assert reports == []


# --- Uncancelled processing


class Uncancelled:
    """One request starts some processing that others may wait for too, and is cancelled."""

    def __init__(self, service: Service, how: str) -> None:
        self.service = service
        self.how = how
        self.cache: ObservableDeferred[None] | None = None
        self.request_1 = LoggingContext("request-1")
        self.finished_when_done: bool | None = None

    async def do_something_else(self, to_resolve: Deferred[None]) -> None:
        await self.service.sleep(1)
        logger.info("done!")
        self.finished_when_done = self.request_1.finished
        to_resolve.callback(None)

    async def do_something(self) -> None:
        if not self.cache:
            to_resolve: Deferred[None] = Deferred()
            self.cache = ObservableDeferred(to_resolve)
            if self.how == "ok":
                # `do_something_else` will get its own independent
                # logging context. `request-1` will not count any
                # metrics from `do_something_else`.
                run_as_background_process("do_something_else", self.do_something_else, to_resolve)
            else:
                # Bad: `do_something_else` will never be cancelled and
                # can outlive the `request-1` logging context.
                run_in_background(self.do_something_else, to_resolve)
            if self.how == "good":
                # We'll wait until `do_something_else` is
                # done before raising a `CancelledError`.
                await make_deferred_yieldable(delay_cancellation(self.cache.observe()))
                return
        await make_deferred_yieldable(self.cache.observe())

    async def handle(self) -> None:
        with self.request_1:
            await self.do_something()


@pytest.mark.parametrize("how", ["bad", "good", "ok"])
def test_uncancelled_processing(
    each_storage: str, service: Service, how: str, lines: LogLines, reports: list[str]
) -> None:
    program = Uncancelled(service, how)
    handling = ensureDeferred(program.handle())
    outcomes: list[Any] = []
    handling.addBoth(outcomes.append)
    handling.cancel()
    # Good: the request is not over before the processing is.
    assert len(outcomes) == (0 if how == "good" else 1)
    service.pass_time(1)
    assert outcomes[0].type is CancelledError
    assert current_context() is SENTINEL_CONTEXT
    restarted = ["Re-starting finished log context request-1"]
    if how == "bad":
        # "The logging context will be finished upon cancellation, while the uncancelled
        # processing is still using it." Nobody restarts a coroutine's own variables.
        assert program.finished_when_done is True
        assert lines == ["request-1: done!"]
        assert reports == (restarted if each_storage == "thread-local" else [])
    else:
        assert program.finished_when_done is (how == "ok")
        assert lines.lines[0].startswith("request-1" if how == "good" else "do_something_else-")
        assert reports == []
