"""Behaviours 11 to 15: yieldable Deferreds, background work, threads, garbage collection."""

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
    set_current_context,
)
from logctx_lint.runtime.deferreds import (
    background_processes,
    defer_to_thread,
    defer_to_threadpool,
    make_deferred_yieldable,
    preserve_fn,
    run_as_background_process,
    run_coroutine_in_background,
    run_in_background,
)

from .helpers import LogLines, RealReactor, logger


@pytest.fixture(autouse=True)
def _no_background_processes_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logctx_lint.runtime.processes._counts", {})


class Counted(Deferred[int]):
    """A Deferred that counts the callbacks added to it."""

    added = 0

    def addCallbacks(self, *args: Any, **kwargs: Any) -> Any:
        self.added += 1
        return super().addCallbacks(*args, **kwargs)

    def addBoth(self, *args: Any, **kwargs: Any) -> Any:
        self.added += 1
        return super().addBoth(*args, **kwargs)


def sleep(clock: Clock, seconds: float = 1) -> Deferred[None]:
    """Follows the rules."""
    deferred: Deferred[None] = Deferred()
    clock.callLater(seconds, deferred.callback, None)
    return make_deferred_yieldable(deferred)


def result_of(deferred: Deferred[Any]) -> Any:
    results: list[Any] = []
    deferred.addBoth(results.append)
    assert results, "the Deferred has not fired"
    return results[0]


class Ready:
    """An awaitable that is neither a coroutine nor a Deferred."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, None, object]:
        yield from ()
        return self.value


class Waiting:
    """Another one, which waits for a Deferred."""

    def __init__(self, deferred: Deferred[Any]) -> None:
        self.deferred = deferred

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield from self.deferred.__await__())


# --- 11: make_deferred_yieldable


def test_complete_deferred_is_returned_and_the_context_kept(each_storage: str) -> None:
    complete = Counted()
    complete.callback(1)
    with LoggingContext("main") as main:
        assert make_deferred_yieldable(complete) is complete
        assert current_context() is main
    assert complete.added == 0


def test_incomplete_deferred_clears_the_context_and_restores_it_before_callbacks() -> None:
    raw: Deferred[int] = Deferred()
    seen: list[object] = []
    with LoggingContext("main") as main, PreserveLoggingContext(main):
        yieldable = make_deferred_yieldable(raw)
        assert yieldable is raw
        assert current_context() is SENTINEL_CONTEXT
        yieldable.addCallback(lambda result: seen.append((result, current_context())))
        raw.callback(3)
        assert seen == [(3, main)]
        assert current_context() is main


def test_failure_restores_the_context_too() -> None:
    raw: Deferred[int] = Deferred()
    seen: list[object] = []
    with LoggingContext("main") as main:
        make_deferred_yieldable(raw).addErrback(
            lambda failure: seen.append((failure.type, current_context()))
        )
        raw.errback(KeyError())
        assert seen == [(KeyError, main)]


def test_paused_deferred_counts_as_incomplete() -> None:
    """Called, but waiting for another Deferred that its callback returned."""
    inner: Deferred[int] = Deferred()
    outer = defer.succeed(None)
    outer.addCallback(lambda _: inner)
    assert outer.called
    seen: list[object] = []
    with LoggingContext("main") as main:
        make_deferred_yieldable(outer).addCallback(lambda r: seen.append((r, current_context())))
        assert current_context() is SENTINEL_CONTEXT
        inner.callback(5)
        assert seen == [(5, main)]


def test_plain_value_becomes_a_fired_deferred(each_storage: str) -> None:
    with LoggingContext("main") as main:
        assert result_of(make_deferred_yieldable(7)) == 7
        assert current_context() is main


def test_complete_coroutine_is_driven(each_storage: str) -> None:
    async def work() -> int:
        return 5

    with LoggingContext("main") as main:
        assert result_of(make_deferred_yieldable(work())) == 5
        assert current_context() is main


def test_incomplete_coroutine_is_driven_first(each_storage: str, clock: Clock) -> None:
    ran: list[str] = []

    async def work() -> int:
        ran.append("begun")
        await sleep(clock)
        return 5

    seen: list[object] = []

    async def caller() -> None:
        with LoggingContext("main") as main:
            yieldable = make_deferred_yieldable(work())
            assert ran == ["begun"]
            result = await yieldable
            seen.append((result, current_context() is main))

    ensureDeferred(caller())
    assert current_context() is SENTINEL_CONTEXT
    clock.advance(1)
    assert seen == [(5, True)]


def test_other_awaitables_are_driven(each_storage: str) -> None:
    assert result_of(make_deferred_yieldable(Ready(4))) == 4


def test_contextvar_storage_returns_the_argument(contextvar_storage: None) -> None:
    raw = Counted()
    with LoggingContext("main") as main:
        assert make_deferred_yieldable(raw) is raw
        assert current_context() is main
    assert raw.added == 0


def test_awaiting_keeps_the_context_across_the_reactor(
    each_storage: str, clock: Clock, lines: LogLines, reports: list[str]
) -> None:
    async def handle(name: str, seconds: float) -> None:
        with LoggingContext(name):
            logger.info("starting")
            await sleep(clock, seconds)
            logger.info("finished")

    for name, seconds in (("one", 2), ("two", 1)):
        ensureDeferred(handle(name, seconds))
        assert current_context() is SENTINEL_CONTEXT
    clock.advance(1)
    clock.advance(1)
    assert lines == ["one: starting", "two: starting", "two: finished", "one: finished"]
    assert reports == []


# --- 12: run_in_background


def test_background_keeps_the_caller_s_context(
    each_storage: str, clock: Clock, reports: list[str]
) -> None:
    seen: list[str] = []

    async def work(*args: object, **kwargs: object) -> tuple[object, object]:
        seen.append(str(current_context()))
        await sleep(clock)
        seen.append(str(current_context()))
        return args, kwargs

    main = LoggingContext("main")
    with PreserveLoggingContext(main):
        deferred = run_in_background(work, 1, key=2)
        assert current_context() is main
    clock.advance(1)
    assert current_context() is SENTINEL_CONTEXT
    assert seen == ["main", "main"]
    assert result_of(deferred) == ((1,), {"key": 2})
    assert reports == []


def test_background_resets_to_the_sentinel_for_whoever_runs_next(
    each_storage: str, clock: Clock
) -> None:
    async def work() -> None:
        await sleep(clock)

    with LoggingContext("main"):
        run_in_background(work)
    seen: list[object] = []
    clock.callLater(1, lambda: seen.append(current_context()))
    clock.advance(1)
    assert seen == [SENTINEL_CONTEXT]


def test_synchronous_exception_becomes_a_failed_deferred(each_storage: str) -> None:
    def work() -> Deferred[None]:
        set_current_context(SENTINEL_CONTEXT)  # breaks the rules, too
        raise KeyError("at once")

    with LoggingContext("main") as main:
        deferred = run_in_background(work)
        assert current_context() is main
    failure = result_of(deferred)
    assert failure.type is KeyError


def test_synchronous_exception_keeps_its_traceback(each_storage: str) -> None:
    def the_culprit() -> None:
        raise KeyError

    failure = result_of(run_in_background(the_culprit))
    assert "the_culprit" in failure.getTraceback()


def test_base_exceptions_pass(each_storage: str) -> None:
    def work() -> None:
        set_current_context(SENTINEL_CONTEXT)
        raise KeyboardInterrupt

    with LoggingContext("main") as main:
        with pytest.raises(KeyboardInterrupt):
            run_in_background(work)
        assert current_context() is main


def test_background_takes_a_plain_value(each_storage: str) -> None:
    assert result_of(run_in_background(lambda: 3)) == 3


def test_background_drives_other_awaitables(each_storage: str) -> None:
    raw: Deferred[int] = Deferred()
    ready: Deferred[object] = run_in_background(lambda: Ready(3))
    assert result_of(ready) == 3
    with LoggingContext("main") as main:
        waiting: Deferred[int] = run_in_background(lambda: Waiting(raw))
        assert current_context() is main
    raw.callback(4)
    assert result_of(waiting) == 4


def test_complete_deferred_gets_no_callback(each_storage: str) -> None:
    complete = Counted()
    complete.callback(3)
    with LoggingContext("main") as main:
        assert run_in_background(lambda: complete) is complete
        assert current_context() is main
    assert complete.added == 0


def test_paused_deferred_gets_its_callback() -> None:
    inner: Deferred[None] = Deferred()
    outer = defer.succeed(None)
    outer.addCallback(lambda _: inner)
    main = LoggingContext("main")
    with PreserveLoggingContext(main):
        run_in_background(lambda: outer)
    with PreserveLoggingContext():
        set_current_context(main)
        inner.callback(None)
        assert current_context() is SENTINEL_CONTEXT


def test_failed_coroutine_is_a_failed_deferred(each_storage: str) -> None:
    async def work() -> None:
        raise KeyError

    assert result_of(run_in_background(work)).type is KeyError


def test_run_coroutine_in_background(each_storage: str, clock: Clock) -> None:
    async def work() -> str:
        await sleep(clock)
        return str(current_context())

    main = LoggingContext("main")
    with PreserveLoggingContext(main):
        deferred = run_coroutine_in_background(work())
        assert current_context() is main
    clock.advance(1)
    assert result_of(deferred) == "main"


def test_preserve_fn_wraps_run_in_background(each_storage: str, clock: Clock) -> None:
    async def work(value: int) -> int:
        await sleep(clock)
        return value

    with LoggingContext("main") as main:
        deferred = preserve_fn(work)(4)
        assert current_context() is main
        with PreserveLoggingContext():
            clock.advance(1)
        assert result_of(deferred) == 4


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
