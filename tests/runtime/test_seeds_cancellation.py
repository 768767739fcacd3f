"""Behaviour 22: the programs of the seed document on cancellation; see test_seeds."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred

from logctx_lint.runtime.cancellation import delay_cancellation, stop_cancellation
from logctx_lint.runtime.context import (
    SENTINEL_CONTEXT,
    LoggingContext,
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
from .seed_service import Service, clear_up, request

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
