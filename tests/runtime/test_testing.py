"""``runtime.testing`` finds the mistakes in a small sample service, and only those."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import Clock

from logctx_lint.runtime import context
from logctx_lint.runtime.context import (
    SENTINEL_CONTEXT,
    LoggingContext,
    PreserveLoggingContext,
    current_context,
    set_current_context,
)
from logctx_lint.runtime.deferreds import make_deferred_yieldable, run_in_background
from logctx_lint.runtime.testing import (
    CancellationReport,
    cancel_at_each_await,
    checking_contexts,
    checks_contexts,
)

from . import sample_service as sample
from .deferred_helpers import result_of

pytest_plugins = ["pytester"]


def cancelled(service: Callable[[Clock], sample.Messages]) -> CancellationReport:
    clock = Clock()
    return cancel_at_each_await(
        lambda: service(clock).post("hello"), advance=lambda: clock.advance(1), max_steps=10
    )


# --- cancel_at_each_await on Twisted


def test_correct_service_has_no_problems(each_storage: str) -> None:
    report = cancelled(sample.Messages)
    assert [run.number for run in report.runs] == [1, 2, 3]
    assert report.problems == ()
    report.check()
    assert current_context() is SENTINEL_CONTEXT


def test_each_run_is_cancelled_at_its_own_await(each_storage: str) -> None:
    """Even if the world takes several steps in one."""
    clock = Clock()
    services: list[sample.Messages] = []

    def post() -> Any:
        services.append(sample.Messages(clock))
        return services[-1].store("hello")

    cancel_at_each_await(post, advance=lambda: clock.pump([1] * 5), max_steps=3)
    assert [service.stored for service in services] == [[], ["hello"], ["hello"]]


def test_swallowed_cancellation_is_found(each_storage: str) -> None:
    report = cancelled(sample.SwallowsCancellation)
    assert report.problems == (
        f"cancelled at await 1 ({where('Messages', 10, 'query')}): the cancellation was swallowed",
        f"cancelled at await 2 ({where('Messages', 10, 'query')}): the cancellation was swallowed",
    )
    with pytest.raises(AssertionError, match="swallowed"):
        report.check()


def where(service: str, line: int, method: str = "post") -> str:
    """A line of a service's method, counted from its class."""
    source = Path(sample.__file__).read_text().splitlines()
    first = next(n for n, text in enumerate(source, 1) if text.startswith(f"class {service}"))
    return f"{method}, line {first + line}"


def test_cancellation_turned_into_an_error_is_found(each_storage: str) -> None:
    report = cancelled(sample.TurnsCancellationIntoAnError)
    assert len(report.problems) == 2
    assert all("turned into RuntimeError" in problem for problem in report.problems)


def test_stuck_await_is_found(each_storage: str) -> None:
    report = cancelled(sample.GetsStuck)
    assert len(report.runs) == 2
    assert "stuck: still waiting in post" in report.problems[0]


def test_endless_retry_is_found(each_storage: str) -> None:
    report = cancelled(sample.RetriesForEver)
    assert all("swallowed" in problem for problem in report.problems)
    assert len(report.problems) == 2

    async def for_ever() -> None:
        while True:
            with contextlib.suppress(CancelledError):
                await clock_step()

    clock = Clock()

    def clock_step() -> Deferred[None]:
        deferred: Deferred[None] = Deferred()
        clock.callLater(1, lambda: None if deferred.called else deferred.callback(None))
        return make_deferred_yieldable(deferred)

    report = cancel_at_each_await(
        for_ever, advance=lambda: clock.advance(1), max_steps=5, max_awaits=3
    )
    assert len(report.runs) == 3
    assert [p for p in report.problems if "stuck" not in p] == []


def test_context_restarted_after_the_request_is_found() -> None:
    report = cancelled(sample.OutlivesItsContext)
    assert any("Re-starting finished log context cancelled-at-1" in p for p in report.problems)


def test_raw_deferred_is_found_in_thread_local_storage() -> None:
    report = cancelled(sample.AwaitsRawDeferred)
    assert any("suspended with its log context still set" in p for p in report.problems)


def test_lost_context_is_found_in_thread_local_storage() -> None:
    """A run that ends without suspending is checked too."""
    report = cancelled(sample.LosesItsContext)
    assert any("lost its log context: it ended in sentinel" in p for p in report.problems)


def test_failure_without_cancellation_is_reported(each_storage: str) -> None:
    async def fail() -> None:
        raise KeyError("broken")

    report = cancel_at_each_await(fail, advance=lambda: None, max_steps=1)
    assert report.problems == (
        "cancelled at await 1 (not reached): failed without being cancelled: KeyError('broken')",
    )


# --- cancel_at_each_await on asyncio


def test_correct_asyncio_service_has_no_problems(contextvar_storage: None) -> None:
    services: list[sample.AsyncioMessages] = []

    def post() -> Any:
        services.append(sample.AsyncioMessages())
        return services[-1].post("hello")

    report = cancel_at_each_await(post)
    assert report.problems == ()
    assert [run.number for run in report.runs] == [1, 2]
    assert [service.stored for service in services] == [[], ["hello"], ["hello"]]


def test_swallowed_cancellation_is_found_on_asyncio(contextvar_storage: None) -> None:
    report = cancel_at_each_await(lambda: sample.AsyncioSwallows().post("hello"))
    assert [run.problems for run in report.runs] == [(), ("the cancellation was swallowed",)]


def test_stuck_await_is_found_on_asyncio(contextvar_storage: None) -> None:
    report = cancel_at_each_await(
        lambda: sample.AsyncioGetsStuck().post("hello"), timeout=0.05, max_awaits=2
    )
    assert [len(run.problems) for run in report.runs] == [0, 1]
    assert "stuck: still waiting in post" in report.problems[0]


def test_coroutine_that_goes_on_for_ever_is_found_on_asyncio(contextvar_storage: None) -> None:
    async def for_ever() -> None:
        while True:
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                if current_context() is SENTINEL_CONTEXT:
                    raise

    report = cancel_at_each_await(for_ever, timeout=0.05, max_steps=5, max_awaits=1)
    assert "stuck" in report.problems[0]


def test_raw_future_is_found_on_asyncio_with_a_thread_local() -> None:
    report = cancel_at_each_await(lambda: sample.AsyncioMessages().post("hello"))
    assert any("suspended with its log context still set" in p for p in report.problems)


def test_own_event_loop_is_used(contextvar_storage: None) -> None:
    made: list[asyncio.AbstractEventLoop] = []

    def factory() -> asyncio.AbstractEventLoop:
        made.append(asyncio.new_event_loop())
        return made[-1]

    cancel_at_each_await(lambda: sample.AsyncioMessages().post("hello"), loop_factory=factory)
    assert len(made) == 3
    assert all(loop.is_closed() for loop in made)


# --- The leak check


def test_check_passes_where_nothing_is_wrong(each_storage: str) -> None:
    clock = Clock()
    with checking_contexts():
        run_in_background(sample.Messages(clock).post, "hello")
        clock.pump([1] * 10)


def test_check_finds_a_leak() -> None:
    """Fire-and-forget: the service's background work leaks its context into the reactor."""
    clock = Clock()

    async def handle() -> None:
        with LoggingContext("request"):
            await sample.LosesItsContext(clock).post("hello")

    @checks_contexts
    def test() -> None:
        ensureDeferred(handle())
        clock.advance(1)

    with pytest.raises(AssertionError) as caught:
        test()
    assert "Expected log context request was lost" in str(caught.value)
    assert "Re-starting finished log context request" in str(caught.value)
    assert "request was leaked, where sentinel was before" in str(caught.value)
    assert current_context() is SENTINEL_CONTEXT


def test_check_finds_a_restart() -> None:
    clock = Clock()

    @checks_contexts
    def test() -> None:
        with LoggingContext("request"):
            run_in_background(sample.OutlivesItsContext(clock).post, "hello")
        clock.advance(1)

    with pytest.raises(AssertionError) as caught:
        test()
    assert "Re-starting finished log context request" in str(caught.value)


def test_check_finds_what_a_collected_coroutine_does(each_storage: str) -> None:
    """The chain is a cycle, so it is collected only when somebody asks for it."""

    async def restores_what_it_should_not(kept: list[Any]) -> None:
        previous = current_context()
        try:
            kept.append(Deferred())
            await make_deferred_yieldable(kept[-1])
        finally:
            set_current_context(previous)

    def orphan() -> None:
        kept: list[Any] = []
        with PreserveLoggingContext(LoggingContext("request")):
            run_in_background(restores_what_it_should_not, kept)
        kept[0].cycle = kept

    gc.disable()
    try:
        with pytest.raises(AssertionError, match="request was leaked"), checking_contexts():
            orphan()
    finally:
        gc.enable()


def test_check_lets_a_failing_test_fail(each_storage: str) -> None:
    with pytest.raises(KeyError), checking_contexts():
        raise KeyError
    assert context.logcontext_error.__module__ == "logctx_lint.runtime.context"


def test_fixture_fails_the_test_that_leaks_and_not_the_next(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("from logctx_lint.runtime.testing import no_context_leaks\n")
    pytester.makepyfile(
        """
        import pytest
        from logctx_lint.runtime import LoggingContext, set_current_context

        pytestmark = pytest.mark.usefixtures("no_context_leaks")

        def test_leaks():
            set_current_context(LoggingContext("leaked"))

        def test_restarts():
            with LoggingContext("twice") as twice:
                pass
            with twice:
                pass

        def test_neither():
            with LoggingContext("fine"):
                pass
        """
    )
    result = pytester.runpytest()
    result.assert_outcomes(passed=3, errors=2)
    result.stdout.fnmatch_lines(
        [
            "*Log context leaked was leaked, where sentinel was before*",
            "*Re-starting finished log context twice*",
        ]
    )


def test_decorator_checks_functions_coroutines_and_deferreds(each_storage: str) -> None:
    clock = Clock()

    def misuse() -> None:
        with LoggingContext("twice") as twice:
            pass
        with twice:
            pass

    @checks_contexts
    def plain(wrong: bool) -> int:
        if wrong:
            misuse()
        return 3

    @checks_contexts
    async def coroutine(wrong: bool) -> int:
        return plain.__wrapped__(wrong)  # type: ignore[attr-defined,no-any-return]

    @checks_contexts
    def deferred(wrong: bool) -> Deferred[int]:
        waiting: Deferred[int] = Deferred()
        clock.callLater(1, lambda: waiting.callback(plain.__wrapped__(wrong)))  # type: ignore[attr-defined]
        return waiting

    assert plain(False) == asyncio.run(coroutine(False)) == 3
    ending = deferred(False)
    clock.advance(1)
    assert result_of(ending) == 3
    with pytest.raises(AssertionError, match="Re-starting finished log context twice"):
        plain(True)
    with pytest.raises(AssertionError, match="Re-starting finished log context twice"):
        asyncio.run(coroutine(True))
    ending = deferred(True)
    clock.advance(1)
    assert result_of(ending).type is AssertionError
    with pytest.raises(KeyError):
        checks_contexts(lambda: {"key": 1}["missing"])()
