"""The asyncio half of rows 35, 36 and 41 of the specification; runs without Twisted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from logctx_lint import runtime
from logctx_lint.runtime import context, storage, tasks
from logctx_lint.runtime.context import (
    SENTINEL_CONTEXT,
    LogContextError,
    LoggingContext,
    PreserveLoggingContext,
    configure,
    current_context,
    set_current_context,
)
from logctx_lint.runtime.futures import (
    ObservableFuture,
    background_processes,
    concurrently_execute,
    gather_optional_coroutines,
    make_future_yieldable,
    run_as_background_process,
    run_coroutine_in_background,
    yieldable_gather_results,
)
from logctx_lint.runtime.locks import Linearizer, ReadWriteLock

from .helpers import LogLines, Main, logger

# --- 35: what asyncio lacked


def test_future_is_made_yieldable(each_storage: str, run: Callable[[Main], Any]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        seen: list[str] = []
        future: asyncio.Future[int] = loop.create_future()
        loop.call_soon(lambda: seen.append(str(current_context())))
        loop.call_later(0.01, future.set_result, 1)
        with LoggingContext("request") as request:
            yieldable = make_future_yieldable(future)
            assert (yieldable is future) == (each_storage == "contextvar")
            assert await yieldable == 1
            assert current_context() is request
            assert make_future_yieldable(future) is future
        if each_storage == "thread-local":
            assert seen == ["sentinel"]

    run(main)


def test_coroutine_is_driven_in_its_own_context(
    each_storage: str, run: Callable[[Main], Any]
) -> None:
    async def work() -> str:
        return str(current_context())

    async def main() -> None:
        with LoggingContext("request"):
            assert await make_future_yieldable(work()) == "request"
            future = run_coroutine_in_background(work())
            assert await make_future_yieldable(future) == "request"

    run(main)


def test_background_process_on_asyncio(
    each_storage: str,
    run: Callable[[Main], Any],
    lines: LogLines,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("logctx_lint.runtime.processes._counts", {})

    async def clean_up(what: str) -> str:
        logger.info("cleaning %s", what)
        await make_future_yieldable(asyncio.ensure_future(asyncio.sleep(0)))
        return what

    async def fail() -> None:
        raise KeyError("lost")

    async def for_ever() -> None:
        await make_future_yieldable(asyncio.get_running_loop().create_future())

    async def main() -> None:
        with LoggingContext("request") as request:
            first = run_as_background_process("clean_up", clean_up, "a")
            second = run_as_background_process("clean_up", "server", clean_up, what="b")
            third: asyncio.Future[Any] = run_as_background_process("fail", func=fail)
            fourth = run_as_background_process("plain", lambda: 4)
            endless = run_as_background_process("endless", for_ever)
            assert current_context() is request
        assert await first == "a"
        assert await second == "b"
        nothing: Any = await third
        assert nothing is None
        assert await fourth == 4
        assert background_processes()["endless"].in_flight == 1
        endless.cancel()
        with pytest.raises(asyncio.CancelledError):
            await endless

    run(main)
    assert lines == ["clean_up-1: cleaning a", "clean_up-2: cleaning b"]
    counts = background_processes()
    assert (counts["clean_up"].started, counts["clean_up"].in_flight) == (2, 0)
    assert (counts["fail"].failed, counts["endless"].cancelled) == (1, 1)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "Background process fail failed"
    ]


def test_background_process_without_a_function_is_refused(run: Callable[[Main], Any]) -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match="needs a function"):
            run_as_background_process("nothing", "server")  # type: ignore[call-overload]

    run(main)


def test_observers_of_a_future_are_independent(run: Callable[[Main], Any]) -> None:
    async def main() -> None:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        shared = ObservableFuture(future)
        first, second = shared.observe(), shared.observe()
        assert shared.has_observers()
        assert shared.observers() == (first, second)
        first.cancel()
        await asyncio.sleep(0)
        assert shared.observers() == (second,)
        with pytest.raises(ValueError, match="no result yet"):
            shared.get_result()
        shared.set_result(3)
        assert await second == 3
        assert await shared.observe() == 3
        assert (shared.has_called(), shared.has_succeeded(), shared.get_result()) == (True, True, 3)
        assert not shared.has_observers()

    run(main)


def test_cancelling_the_original_reaches_all_observers(run: Callable[[Main], Any]) -> None:
    async def main() -> None:
        shared = ObservableFuture(asyncio.get_running_loop().create_future())
        observers = [shared.observe(), shared.observe()]
        shared.cancel()
        for observer in observers:
            with pytest.raises(asyncio.CancelledError):
                await observer
        assert isinstance(shared.get_result(), asyncio.CancelledError)

    run(main)


def test_failure_that_nobody_observes(run: Callable[[Main], Any]) -> None:
    """Consumed where asked for: the fixture fails for what asyncio complains of."""

    async def main() -> None:
        shared = ObservableFuture(asyncio.get_running_loop().create_future(), consumeErrors=True)
        shared.set_exception(KeyError("lost"))
        await asyncio.sleep(0)
        assert not shared.has_succeeded()

    run(main)


def test_gathering_on_asyncio(each_storage: str, run: Callable[[Main], Any]) -> None:
    async def double(number: int) -> str:
        await make_future_yieldable(asyncio.ensure_future(asyncio.sleep(0.001 * (3 - number))))
        return f"{2 * number} for {current_context()}"

    async def fail(number: int) -> int:
        raise KeyError(number)

    async def main() -> None:
        with LoggingContext("request") as request:
            results = await yieldable_gather_results(double, [1, 2])
            assert results == ["2 for request", "4 for request"]
            optional = await gather_optional_coroutines(double(1), None, double(2))
            assert optional == ("2 for request", None, "4 for request")
            with pytest.raises(KeyError):
                await yieldable_gather_results(fail, [1, 2])
            assert current_context() is request

    run(main)


def test_cancelling_a_gathering_reaches_all(run: Callable[[Main], Any]) -> None:
    cancelled: list[int] = []

    async def wait(number: int) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(number)
            raise

    async def main() -> None:
        task = asyncio.ensure_future(yieldable_gather_results(wait, [1, 2]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert cancelled == [1, 2]

    run(main)


def test_concurrent_execution_on_asyncio(run: Callable[[Main], Any]) -> None:
    running: list[int] = []
    most = 0

    async def work(number: int) -> None:
        nonlocal most
        running.append(number)
        most = max(most, len(running))
        await asyncio.sleep(0)
        running.remove(number)

    async def main() -> None:
        await concurrently_execute(work, range(7), limit=3)
        assert (most, running) == (3, [])
        task = asyncio.ensure_future(
            concurrently_execute(work, range(7), limit=3, delay_cancellation=True)
        )
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert running == []
        with pytest.raises(ValueError, match="at least 1"):
            await concurrently_execute(work, [1], limit=0)

    run(main)


def test_linearizer_on_asyncio(each_storage: str, run: Callable[[Main], Any]) -> None:
    order: list[str] = []

    async def main() -> None:
        linearizer = Linearizer(name="test", max_count=2)
        holding = 0

        async def work(number: int) -> None:
            nonlocal holding
            with LoggingContext(f"request-{number}"):
                async with linearizer.queue("key"):
                    holding += 1
                    assert holding <= 2
                    order.append(str(current_context()))
                    await make_future_yieldable(asyncio.ensure_future(asyncio.sleep(0)))
                    holding -= 1

        async with linearizer.queue("key"), linearizer.queue("key"):
            waiting = [tasks.run_in_background(work, number) for number in range(5)]
            await asyncio.sleep(0)
            assert linearizer.is_queued("key")
            waiting[1].cancel()
            await asyncio.sleep(0)
        await asyncio.wait(waiting)
        assert order == [f"request-{number}" for number in (0, 2, 3, 4)]
        assert not linearizer.is_queued("key")
        assert not linearizer._holding

    run(main)


def test_turn_of_a_task_that_is_cancelled_as_it_is_woken_is_not_lost(
    run: Callable[[Main], Any],
) -> None:
    async def main() -> None:
        linearizer = Linearizer()

        async def work() -> None:
            async with linearizer.queue("key"):
                await asyncio.sleep(0)

        async with linearizer.queue("key"):
            first, second = (asyncio.ensure_future(work()) for _ in range(2))
            await asyncio.sleep(0)
        first.cancel()  # its turn has come, but it has not yet noticed
        await asyncio.wait([first, second])
        assert first.cancelled()
        assert not second.cancelled()
        assert not linearizer._holding

    run(main)


def test_read_write_lock_on_asyncio(each_storage: str, run: Callable[[Main], Any]) -> None:
    async def main() -> None:
        lock = ReadWriteLock()
        events: list[str] = []

        async def hold(name: str, writes: bool) -> None:
            with LoggingContext(name):
                async with lock.write("key") if writes else lock.read("key"):
                    events.append(f"+{current_context()}")
                    await make_future_yieldable(asyncio.ensure_future(asyncio.sleep(0.001)))
                    events.append(f"-{current_context()}")

        all_of_them = [
            tasks.run_in_background(hold, name, name.startswith("w"))
            for name in ("r1", "r2", "w1", "w2", "r3", "r4")
        ]
        await asyncio.sleep(0)
        all_of_them[3].cancel()
        await asyncio.wait(all_of_them)
        assert sorted(events[:2]) == ["+r1", "+r2"]
        assert events[4:6] == ["+w1", "-w1"]
        assert sorted(events[6:8]) == ["+r3", "+r4"]
        assert len(events) == 10
        assert not lock._queues

    run(main)


# --- 36: an exception of the body is not replaced


@pytest.mark.parametrize("kind", ["wrong order", "lost", "not entered", "preserve"])
def test_exception_of_the_body_is_not_replaced(
    each_storage: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    configure(strict=True)
    ours = LoggingContext("ours")

    def misuse() -> None:
        if kind == "wrong order":
            set_current_context(LoggingContext("other"))
        elif kind in ("lost", "preserve"):
            set_current_context(SENTINEL_CONTEXT)
        else:
            ours.__exit__(None, None, None)

    def body() -> None:
        with PreserveLoggingContext(ours) if kind == "preserve" else ours:
            with contextlib.suppress(LogContextError):
                misuse()
            raise KeyError("the body's")

    with pytest.raises(KeyError, match="the body's"):
        body()
    assert any("og context ours" in record.getMessage() for record in caplog.records)
    assert current_context() is SENTINEL_CONTEXT


def test_body_that_ends_well_is_told_of_the_misuse(each_storage: str) -> None:
    configure(strict=True)
    with pytest.raises(LogContextError, match="was lost"), LoggingContext("ours"):
        set_current_context(SENTINEL_CONTEXT)


# --- 41: configure


def test_configure_restores_what_it_returned() -> None:
    before = configure(storage="contextvar", strict=True)
    inner = configure(before)
    assert storage.settings == before
    assert inner.storage == "contextvar"
    assert inner.strict
    configure(configure())
    assert storage.settings == before
    assert configure(before, strict=True) == before
    assert storage.settings.strict


def test_dir_lists_every_public_name() -> None:
    assert set(runtime.__all__) <= set(dir(runtime))
    assert "tasks" in dir(runtime)
    assert "run_in_background" in dir(context)
    assert runtime.tasks is tasks
