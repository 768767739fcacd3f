"""What Synapse's own tests and real services showed, on Twisted: rows 27 to 30, 35, 39 to 41."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, fail, succeed
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from logctx_lint.runtime.cancellation import delay_cancellation, stop_cancellation
from logctx_lint.runtime.context import LoggingContext, current_context
from logctx_lint.runtime.deferreds import (
    ObservableDeferred,
    background_processes,
    concurrently_execute,
    make_deferred_yieldable,
    run_as_background_process,
    run_in_background,
    timeout_deferred,
)
from logctx_lint.runtime.locks import Linearizer, ReadWriteLock
from logctx_lint.runtime.testing import cancel_at_each_await

from . import sample_service as sample
from .helpers import LogLines, logger, run_python


def outcome(deferred: Deferred[Any]) -> Any:
    """The result, or the exception, of one that has fired."""
    results: list[Any] = []
    deferred.addBoth(results.append)
    assert results, f"{deferred} has not fired"
    (result,) = results
    return result.value if isinstance(result, Failure) else result


Protect = Callable[[Any], Any]
PROTECTIONS: list[Protect] = [stop_cancellation, delay_cancellation]


@pytest.fixture
def unhandled() -> Any:
    """The failures that Twisted logs because nobody has handled them."""
    from twisted.logger import globalLogPublisher

    failures: list[Any] = []

    def observe(event: Any) -> None:
        if "log_failure" in event:
            failures.append(event["log_failure"].value)

    observer: Any = observe
    globalLogPublisher.addObserver(observer)
    yield failures
    gc.collect()
    globalLogPublisher.removeObserver(observer)


# --- 27: ObservableDeferred


def test_observable_passes_on_to_its_deferred() -> None:
    original: Deferred[int] = Deferred()
    shared = ObservableDeferred(original)
    assert not shared.has_observers()
    observer = shared.observe()
    assert shared.has_observers()
    assert tuple(shared.observers()) == (observer,)
    seen: list[int] = []

    def see(result: int) -> int:
        seen.append(result)
        return result

    shared.addCallback(see)
    shared.callback(3)
    assert shared.called
    assert seen == [3]
    assert outcome(observer) == 3
    assert not shared.has_observers()


@pytest.mark.parametrize("end", ["errback", "cancel"])
def test_observable_can_be_failed_and_cancelled(end: str) -> None:
    shared: ObservableDeferred[int] = ObservableDeferred(Deferred(), consumeErrors=True)
    observer = shared.observe()
    if end == "errback":
        shared.errback(KeyError("lost"))
    else:
        shared.cancel()
    assert isinstance(outcome(observer), KeyError if end == "errback" else CancelledError)
    with pytest.raises(AttributeError):
        shared.nonsense  # noqa: B018


# --- 28: Synapse's signatures


@pytest.mark.parametrize("newer", [False, True])
def test_background_process_of_both_signatures(
    each_storage: str, newer: bool, lines: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logctx_lint.runtime.processes._counts", {})
    servers: list[str] = []

    async def work(what: str, times: int = 1) -> str:
        servers.append(current_context().server_name)
        logger.info("%s %d times", what, times)
        return what

    if newer:
        done = run_as_background_process(
            "job", "example.org", work, "swept", times=2, bg_start_span=False
        )
    else:
        done = run_as_background_process("job", work, "swept", times=2)
    assert outcome(done) == "swept"
    by_keyword = run_as_background_process(
        desc="job", server_name="example.org", func=work, what="dusted", test_only_tracer=None
    )
    assert outcome(by_keyword) == "dusted"
    assert lines == ["job-1: swept 2 times", "job-2: dusted 1 times"]
    assert servers == ["example.org" if newer else "", "example.org"]
    assert background_processes()["job"].failed == 0


def test_background_process_without_a_function() -> None:
    with pytest.raises(TypeError, match="needs a function"):
        run_as_background_process("job", "example.org")  # type: ignore[call-overload]


class DurationClock:
    """As Synapse's newer clocks: takes a duration, which is no number."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def call_later(self, delay: Any, callback: Callable[[], None]) -> Any:
        return self._clock.callLater(delay.as_secs(), callback)


class SecondsClock(DurationClock):
    """As Synapse's older ones."""

    def call_later(self, delay: Any, callback: Callable[[], None]) -> Any:
        return self._clock.callLater(delay + 0.0, callback)


@pytest.mark.parametrize("kind", [DurationClock, SecondsClock])
@pytest.mark.parametrize("timeout", [2.0, timedelta(seconds=2)])
def test_timeout_with_a_clock_of_durations(
    clock: Clock, kind: type[DurationClock], timeout: Any
) -> None:
    waiting: Deferred[None] = timeout_deferred(
        deferred=Deferred(), timeout=timeout, clock=kind(clock)
    )
    clock.advance(1.5)
    assert not waiting.called
    clock.advance(1)
    assert isinstance(outcome(waiting), DeferredTimeoutError)


# --- 29 and 30: what the original has, after it was protected


@pytest.mark.parametrize("protect", PROTECTIONS)
@pytest.mark.parametrize("early", [False, True])
def test_failure_is_consumed_and_seen_by_whoever_comes_later(
    protect: Protect, early: bool, unhandled: list[Any]
) -> None:
    error = KeyError("lost")
    original: Deferred[int] = fail(error) if early else Deferred()
    waiter = protect(original)
    if not early:
        original.errback(error)
    assert outcome(waiter) is error
    gc.collect()
    assert unhandled == []

    async def wait(original: Deferred[int]) -> None:
        await original

    assert outcome(ensureDeferred(wait(original))) is error
    assert outcome(delay_cancellation(original)) is error
    assert outcome(stop_cancellation(original)) is error
    shared: ObservableDeferred[int] = ObservableDeferred(original, consumeErrors=True)
    assert outcome(shared.observe()) is error
    assert isinstance(shared.get_result(), Failure)
    del original, waiter, shared
    gc.collect()
    assert unhandled == []


def fail_again(_: Failure) -> int:
    raise KeyError("second")


@pytest.mark.parametrize("protect", PROTECTIONS)
def test_another_failure_of_the_original_is_still_logged(
    protect: Protect, unhandled: list[Any]
) -> None:
    original: Deferred[int] = Deferred()
    waiter = protect(original)
    original.errback(KeyError("first"))
    outcome(waiter)
    original.addErrback(fail_again)
    del original, waiter
    gc.collect()
    assert [error.args for error in unhandled] == [("second",)]


@pytest.mark.parametrize("protect", PROTECTIONS)
@pytest.mark.parametrize("early", [False, True])
def test_both_waiters_get_the_result(protect: Protect, early: bool) -> None:
    original: Deferred[str] = succeed("done") if early else Deferred()
    waiters = [protect(original), protect(original)]
    if not early:
        original.callback("done")
    assert [outcome(waiter) for waiter in waiters] == ["done", "done"]
    assert outcome(original) == "done"


@pytest.mark.parametrize("protect", PROTECTIONS)
def test_both_waiters_get_the_failure(protect: Protect, unhandled: list[Any]) -> None:
    original: Deferred[str] = Deferred()
    waiters = [protect(original), protect(original)]
    original.errback(KeyError("lost"))
    assert [type(outcome(waiter)) for waiter in waiters] == [KeyError, KeyError]
    del original, waiters
    gc.collect()
    assert unhandled == []


def test_cancelled_waiter_leaves_the_result_to_the_other() -> None:
    original: Deferred[str] = Deferred()
    first, second = delay_cancellation(original), delay_cancellation(original)
    first.cancel()
    original.callback("done")
    assert isinstance(outcome(first), CancelledError)
    assert outcome(second) == "done"


# --- 35: locks on Twisted


def test_linearizer_hands_over_in_each_one_s_own_context(
    each_storage: str, clock: Clock, reports: list[str]
) -> None:
    linearizer = Linearizer(name="test", clock=clock)
    order: list[str] = []

    async def work(number: int) -> None:
        with LoggingContext(f"request-{number}"):
            async with linearizer.queue("key"):
                held: Deferred[None] = Deferred()
                clock.callLater(1, held.callback, None)
                await make_deferred_yieldable(held)
                order.append(str(current_context()))

    working = [run_in_background(work, number) for number in range(4)]
    assert linearizer.is_queued("key")
    working[1].cancel()
    assert isinstance(outcome(working[1]), CancelledError)
    clock.pump([1] * 5)
    assert order == ["request-0", "request-2", "request-3"]
    assert not linearizer.is_queued("key")
    assert not linearizer._holding
    assert reports == []
    assert not current_context()


def test_long_queue_does_not_exhaust_the_stack() -> None:
    linearizer, lock = Linearizer(), ReadWriteLock()
    length = sys.getrecursionlimit()
    done: list[int] = []

    async def work(number: int) -> None:
        async with linearizer.queue("key"), lock.write("key"):
            done.append(number)

    async def hold(until: Deferred[None]) -> None:
        async with linearizer.queue("key"), lock.read("key"):
            await make_deferred_yieldable(until)

    until: Deferred[None] = Deferred()
    run_in_background(hold, until)
    for number in range(length):
        run_in_background(work, number)
    until.callback(None)
    assert done == list(range(length))


def test_concurrent_execution_delays_its_cancellation(clock: Clock) -> None:
    done: list[int] = []

    async def work(number: int) -> None:
        waiting: Deferred[None] = Deferred()
        clock.callLater(1, waiting.callback, None)
        await make_deferred_yieldable(waiting)
        done.append(number)

    running = ensureDeferred(concurrently_execute(work, range(4), 2, delay_cancellation=True))
    running.cancel()
    clock.pump([1] * 4)
    assert isinstance(outcome(running), CancelledError)
    assert done == [0, 1, 2, 3]


# --- 40: the innermost line, and what is dropped


def test_innermost_line_is_named() -> None:
    clock = Clock()
    report = cancel_at_each_await(
        lambda: sample.Messages(clock).post("hello"), advance=lambda: clock.advance(1)
    )
    assert {run.where.split(",")[0] for run in report.runs} == {"query"}


def test_dropped_failure_is_found() -> None:
    clock = Clock()

    async def fails() -> None:
        waiting: Deferred[None] = Deferred()
        clock.callLater(2, waiting.callback, None)
        await make_deferred_yieldable(waiting)
        raise KeyError("lost")

    async def post() -> None:
        run_in_background(fails)
        waiting: Deferred[None] = Deferred()
        clock.callLater(1, lambda: None if waiting.called else waiting.callback(None))
        await make_deferred_yieldable(waiting)

    report = cancel_at_each_await(post, advance=lambda: clock.advance(1))
    assert any("a failure was dropped: KeyError" in problem for problem in report.problems)


def test_dropped_task_is_found(contextvar_storage: None) -> None:
    import asyncio

    async def notify() -> None:
        await asyncio.sleep(0.01)

    async def fail_later() -> None:
        await asyncio.sleep(0.001)
        raise KeyError("lost")

    async def post() -> None:
        task = asyncio.ensure_future(notify())
        await asyncio.sleep(0)
        await task

    report = cancel_at_each_await(post)
    assert [run.problems for run in report.runs] == [
        (f"left a task running: {notify.__qualname__}",),
        (),
    ]

    async def post_and_fail() -> None:
        asyncio.ensure_future(fail_later())  # noqa: RUF006
        await asyncio.sleep(0)

    report = cancel_at_each_await(post_and_fail)
    assert any("never retrieved: KeyError" in problem for problem in report.problems)


@pytest.mark.parametrize("plugin", ["pytest_asyncio", "anyio"])
def test_fixture_sees_leaks_in_coroutine_tests(pytester: pytest.Pytester, plugin: str) -> None:
    pytest.importorskip(plugin)
    mark = "asyncio" if plugin == "pytest_asyncio" else "anyio"
    pytester.makeconftest(
        "from logctx_lint.runtime.testing import no_context_leaks\n"
        "from logctx_lint.runtime import configure\n"
        "import pytest\n"
        "configure(storage='contextvar')\n"
        "@pytest.fixture\n"
        "def anyio_backend(): return 'asyncio'\n"
    )
    pytester.makepyfile(
        f"""
        import pytest
        from logctx_lint.runtime import LoggingContext, set_current_context
        pytestmark = [pytest.mark.{mark}, pytest.mark.usefixtures("no_context_leaks")]

        async def test_leaks():
            set_current_context(LoggingContext("leaked"))

        async def test_does_not():
            with LoggingContext("fine"):
                pass
        """
    )
    outcome = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    outcome.assert_outcomes(passed=1, failed=1)
    outcome.stdout.fnmatch_lines(["*Log context leaked was leaked*"])


pytest_plugins = ["pytester"]


# --- 41: imports


def test_import_star_without_twisted() -> None:
    names = run_python(
        "import sys; sys.modules['twisted'] = None\n"
        "from logctx_lint.runtime import *\n"
        "print('LoggingContext' in dir(), 'run_in_background' in dir())"
    )
    assert names == "True False\n"


def test_import_star_with_twisted() -> None:
    names = run_python(
        "from logctx_lint.runtime import *\n"
        "print('LoggingContext' in dir(), 'run_in_background' in dir())"
    )
    assert names == "True True\n"


def test_testing_without_pytest_says_what_it_needs() -> None:
    message = run_python(
        "import sys; sys.modules['pytest'] = None\n"
        "from logctx_lint import runtime\n"
        "assert 'testing' in dir(runtime)\n"
        "try:\n runtime.testing\n"
        "except ImportError as error: print(error)"
    )
    assert "needs pytest: pip install 'logctx-lint[testing]'" in message


def test_submodules_need_no_import_of_their_own() -> None:
    assert run_python(
        "from logctx_lint import runtime\nprint(runtime.testing.cancel_at_each_await.__name__)"
    ) == ("cancel_at_each_await\n")


def test_logging_of_a_background_failure(caplog: pytest.LogCaptureFixture) -> None:
    def lost() -> None:
        raise KeyError("lost")

    run_as_background_process("job", lost)
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [
        (logging.ERROR, "Background process job failed")
    ]
