"""Behaviours 10 and 13 to 15: who fires a Deferred, orphaned chains, threads, processes."""

from __future__ import annotations

import gc
import logging
import threading
import traceback
from collections.abc import Awaitable, Generator
from typing import Any

import pytest
from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from logctx_lint.runtime import storage
from logctx_lint.runtime.context import (
    SENTINEL_CONTEXT,
    LoggingContext,
    PreserveLoggingContext,
    current_context,
)
from logctx_lint.runtime.deferreds import (
    background_processes,
    defer_to_thread,
    defer_to_threadpool,
    make_deferred_yieldable,
    run_as_background_process,
    run_in_background,
)

from .deferred_helpers import result_of, sleep
from .helpers import LogLines, RealReactor, logger

# --- 13: a Deferred fired inside a context runs its waiters there


class Competing:
    """Work that waits for a Deferred, and then enters a context of its own and suspends in it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.event: Deferred[None] = Deferred()
        self.event.addCallback(lambda _: ensureDeferred(self.work()))
        self.began_in: object = None

    async def work(self) -> None:
        self.began_in = current_context()
        with LoggingContext("competing"):
            await sleep(self.clock)


def test_fired_in_a_context_the_waiters_run_there(
    each_storage: str, clock: Clock, lines: LogLines, reports: list[str]
) -> None:
    """Bad: the waiters suspend in it, and restore it when it has long finished."""
    competing = Competing(clock)
    with LoggingContext("main") as main:
        competing.event.callback(None)
        logger.info("ugh")
    assert competing.began_in is main
    # A thread-local has been cleared by the waiter; a coroutine's variables are its own.
    lost = each_storage == "thread-local"
    assert lines == ["sentinel: ugh" if lost else "main: ugh"]
    assert ("Expected log context main was lost" in reports) is lost
    clock.advance(1)
    assert "Re-starting finished log context main" in reports
    assert (current_context() is main) is lost
    storage.store(storage.SENTINEL_CELL)


def test_fired_under_the_sentinel_the_waiters_keep_out(
    each_storage: str, clock: Clock, lines: LogLines, reports: list[str]
) -> None:
    competing = Competing(clock)
    with LoggingContext("main"):
        with PreserveLoggingContext():
            competing.event.callback(None)
        logger.info("phew")
    assert competing.began_in is SENTINEL_CONTEXT
    clock.advance(1)
    assert current_context() is SENTINEL_CONTEXT
    assert lines == ["main: phew"]
    assert reports == []


def test_fired_in_the_background_the_caller_keeps_its_context(
    each_storage: str, clock: Clock, lines: LogLines, reports: list[str]
) -> None:
    competing = Competing(clock)

    def fire() -> Deferred[None]:
        competing.event.callback(None)
        return competing.event

    main = LoggingContext("main")
    with PreserveLoggingContext(main):
        run_in_background(fire)
        logger.info("phew")
    assert competing.began_in is main
    clock.advance(1)
    assert current_context() is SENTINEL_CONTEXT
    assert lines == ["main: phew"]
    assert reports == []


# --- 14: orphaned chains


class Listeners:
    """The seed's example: both ends of the chain can be dropped."""

    def __init__(self) -> None:
        self.queue: list[Deferred[str]] = []

    async def wait_preserving(self) -> None:
        awaitable: Deferred[str] = Deferred()
        self.queue.append(awaitable)
        with PreserveLoggingContext():
            await awaitable

    async def wait_in_own_context(self) -> None:
        with LoggingContext("own"):
            awaitable: Deferred[str] = Deferred()
            self.queue.append(awaitable)
            await make_deferred_yieldable(awaitable)

    async def wait_in_given_context(self, context: LoggingContext) -> None:
        with PreserveLoggingContext(context):
            awaitable: Deferred[str] = Deferred()
            self.queue.append(awaitable)
            await make_deferred_yieldable(awaitable)


@pytest.mark.parametrize("wait", ["wait_preserving", "wait_in_own_context"])
def test_collected_chain_does_not_leak_its_context(
    each_storage: str, wait: str, reports: list[str]
) -> None:
    listeners = Listeners()
    request = LoggingContext("request")
    with PreserveLoggingContext(request):
        run_in_background(getattr(listeners, wait))
    assert current_context() is SENTINEL_CONTEXT
    listeners.queue.clear()
    gc.collect()
    assert current_context() is SENTINEL_CONTEXT
    assert reports == []


@pytest.mark.parametrize("wait", ["wait_preserving", "wait_in_own_context"])
def test_collected_chain_leaves_the_context_of_running_code_alone(
    each_storage: str, wait: str, reports: list[str]
) -> None:
    listeners = Listeners()
    with PreserveLoggingContext(LoggingContext("request")):
        run_in_background(getattr(listeners, wait))
    with LoggingContext("another") as another:
        listeners.queue.clear()
        gc.collect()
        assert current_context() is another
    assert reports == []


def test_collected_request_does_not_leak_its_context(each_storage: str, reports: list[str]) -> None:
    """All of the chain at once, and nobody has switched contexts since it was suspended."""
    listeners = Listeners()

    async def request() -> None:
        with LoggingContext("request"):
            await listeners.wait_preserving()

    ensureDeferred(request())
    assert current_context() is SENTINEL_CONTEXT
    listeners.queue.clear()
    gc.collect()
    assert current_context() is SENTINEL_CONTEXT
    assert reports == []


def test_collected_chain_leaves_its_own_context_to_others_who_use_it(
    each_storage: str, reports: list[str]
) -> None:
    """Current is the very context that the collected block has set, but somebody else set it."""
    listeners = Listeners()
    shared = LoggingContext("shared")
    with PreserveLoggingContext(LoggingContext("request")):
        run_in_background(listeners.wait_in_given_context, shared)
    with PreserveLoggingContext(shared):
        listeners.queue.clear()
        gc.collect()
        assert current_context() is shared
    assert reports == []


def test_closed_generator_restores_what_is_still_its_own(
    each_storage: str, reports: list[str]
) -> None:
    def generate(context: LoggingContext) -> Generator[None, None, None]:
        with PreserveLoggingContext(context):
            yield

    def generate_own() -> Generator[None, None, None]:
        with LoggingContext("own"):
            yield

    with LoggingContext("main") as main:
        for generator in (generate(LoggingContext("given")), generate_own()):
            next(generator)
            assert current_context() is not main
            generator.close()
            assert current_context() is main
    assert reports == []


def test_collected_chain_marks_its_context_finished(each_storage: str) -> None:
    contexts: list[LoggingContext] = []
    queue: list[Deferred[None]] = []

    async def wait() -> None:
        with LoggingContext("own") as own:
            contexts.append(own)
            queue.append(Deferred())
            await make_deferred_yieldable(queue[0])

    run_in_background(wait)
    queue.clear()
    gc.collect()
    assert contexts[0].finished


# --- 10: real threads


def test_defer_to_thread_runs_in_a_child_and_charges_the_parent(
    each_storage: str, real_reactor: RealReactor, reports: list[str]
) -> None:
    def work(value: int, *, key: int) -> tuple[int, int, Any, int]:
        context = current_context()
        assert isinstance(context, LoggingContext)
        context.add_database_transaction(2.0)
        return value, key, context, threading.get_ident()

    async def request() -> None:
        with LoggingContext("main", request="id-1") as main:
            value, key, child, thread = await defer_to_thread(real_reactor.reactor, work, 1, key=2)
            assert current_context() is main
            assert (value, key) == (1, 2)
            assert (str(child), child.parent_context, child.request) == ("main", main, "id-1")
            assert thread != threading.get_ident()
            assert main.get_resource_usage().db_txn_duration_sec == 2.0
        assert current_context() is SENTINEL_CONTEXT

    real_reactor.run(request)
    assert reports == []


def test_exception_in_a_thread_comes_out_of_the_await(
    each_storage: str, real_reactor: RealReactor
) -> None:
    def the_culprit() -> None:
        raise KeyError("in a thread")

    async def request() -> None:
        with LoggingContext("main") as main:
            with pytest.raises(KeyError) as caught:
                await defer_to_thread(real_reactor.reactor, the_culprit)
            assert "the_culprit" in "".join(traceback.format_tb(caught.value.__traceback__)) or (
                "the_culprit" in Failure(caught.value).getTraceback()  # type: ignore[no-untyped-call]
            )
            assert current_context() is main

    real_reactor.run(request)


def test_defer_to_threadpool_uses_the_pool_given(
    each_storage: str, real_reactor: RealReactor
) -> None:
    pool = ThreadPool(1, 1, name="special")
    pool.start()

    async def request() -> str:
        name: str = await defer_to_threadpool(
            real_reactor.reactor, pool, lambda: threading.current_thread().name
        )
        return name

    try:
        assert "special" in real_reactor.run(request)
    finally:
        pool.stop()


def test_pool_thread_sees_the_default_context(each_storage: str, real_reactor: RealReactor) -> None:
    """Without our wrapper, and after it has used the thread."""
    from twisted.internet.threads import deferToThreadPool

    pool = ThreadPool(1, 1)
    pool.start()

    async def request() -> list[str]:
        with LoggingContext("main"):
            inside = await defer_to_threadpool(
                real_reactor.reactor, pool, lambda: str(current_context())
            )
        bare = await deferToThreadPool(real_reactor.reactor, pool, lambda: str(current_context()))
        return [inside, bare]

    try:
        assert real_reactor.run(request) == ["main", "sentinel"]
    finally:
        pool.stop()


def test_real_time_keeps_contexts_apart(
    each_storage: str, real_reactor: RealReactor, reports: list[str]
) -> None:
    """A hundred requests that wait for the real reactor's timers, interleaved."""
    from twisted.internet.task import deferLater

    seen: list[tuple[str, str]] = []

    async def request(name: str, seconds: float) -> None:
        with LoggingContext(name):
            for _ in range(2):
                await make_deferred_yieldable(
                    deferLater(real_reactor.reactor, seconds, lambda: None)
                )
                seen.append((name, str(current_context())))

    async def all_of_them() -> None:
        waiting = [run_in_background(request, f"request-{n}", 0.001 * (n % 7)) for n in range(100)]
        await make_deferred_yieldable(defer.gatherResults(waiting))
        assert current_context() is SENTINEL_CONTEXT

    real_reactor.run(all_of_them)
    assert len(seen) == 200
    assert all(name == logged for name, logged in seen)
    assert reports == []


# --- 15: background processes


def test_background_process_has_its_own_context(
    each_storage: str, clock: Clock, reports: list[str]
) -> None:
    seen: list[Any] = []

    async def work(value: int, *, key: int) -> int:
        seen.append(current_context())
        await sleep(clock)
        seen.append(current_context())
        return value + key

    with LoggingContext("main") as main:
        deferred = run_as_background_process("its-own", work, 1, key=2)
        assert current_context() is main
    second = run_as_background_process("its-own", work, 3, key=4)
    clock.advance(1)
    assert [str(each) for each in seen] == ["its-own-1", "its-own-2", "its-own-1", "its-own-2"]
    assert seen[0].parent_context is None
    assert seen[0].finished
    assert current_context() is SENTINEL_CONTEXT
    assert (result_of(deferred), result_of(second)) == (3, 7)
    assert reports == []


def test_background_process_may_outlive_its_caller(
    each_storage: str, clock: Clock, lines: LogLines, reports: list[str]
) -> None:
    async def work() -> None:
        await sleep(clock)
        logger.info("done")

    with LoggingContext("request"):
        run_as_background_process("outlives", work)
    clock.advance(1)
    assert lines == ["outlives-1: done"]
    assert reports == []


def test_background_process_logs_exceptions(
    each_storage: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        raise KeyError

    with caplog.at_level(logging.DEBUG):
        deferred = run_as_background_process("fails", work)
    assert result_of(deferred) is None
    (record,) = caplog.records
    assert record.getMessage() == "Background process fails failed"
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyError
    assert background_processes()["fails"].failed == 1


def test_background_process_logs_synchronous_exceptions(
    each_storage: str, caplog: pytest.LogCaptureFixture
) -> None:
    def work() -> Awaitable[None]:
        raise KeyError

    assert result_of(run_as_background_process("fails at once", work)) is None
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_background_process_is_counted(
    each_storage: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logctx_lint.runtime.processes.time.monotonic", clock.seconds)

    async def work(seconds: float) -> None:
        await sleep(clock, seconds)

    run_as_background_process("counted", work, 2)
    run_as_background_process("counted", work, 3)
    counts = background_processes()["counted"]
    assert (counts.started, counts.in_flight, counts.seconds) == (2, 2, 0.0)
    clock.advance(2)
    counts = background_processes()["counted"]
    assert (counts.started, counts.in_flight, counts.seconds) == (2, 1, 2.0)
    clock.advance(1)
    counts = background_processes()["counted"]
    assert (counts.started, counts.in_flight, counts.seconds) == (2, 0, 5.0)
    assert (counts.failed, counts.cancelled) == (0, 0)


def test_cancelled_background_process_is_counted_and_is_no_failure(
    each_storage: str, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        await make_deferred_yieldable(Deferred())

    deferred = run_as_background_process("cancelled", work)
    assert background_processes()["cancelled"].in_flight == 1
    with caplog.at_level(logging.INFO):
        deferred.cancel()
        assert result_of(deferred) is None
        del deferred
        gc.collect()
    assert caplog.records == []
    counts = background_processes()["cancelled"]
    assert (counts.in_flight, counts.failed, counts.cancelled) == (0, 0, 1)
    assert current_context() is SENTINEL_CONTEXT


def test_background_process_that_is_collected_is_no_longer_in_flight(each_storage: str) -> None:
    async def work() -> None:
        await make_deferred_yieldable(Deferred())

    run_as_background_process("orphan", work)
    gc.collect()
    assert background_processes()["orphan"].in_flight == 0


def test_background_process_of_a_plain_function(each_storage: str) -> None:
    plain = run_as_background_process("plain", lambda: str(current_context()))
    assert result_of(plain) == "plain-1"


def test_cancelled_error_of_twisted_is_an_exception() -> None:
    """What makes half of the cancellation rules necessary (seed, "Mechanics")."""
    assert issubclass(CancelledError, Exception)
