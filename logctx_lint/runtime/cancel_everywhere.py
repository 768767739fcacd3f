"""Running a coroutine again and again, cancelled at another place each time."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from . import futures, storage
from .context import (
    SENTINEL_CONTEXT,
    LoggingContext,
    PreserveLoggingContext,
    collected_reports,
    current_context,
    set_current_context,
)

__all__ = ["CancellationReport", "CancelledRun", "cancel_at_each_await"]


@dataclass(frozen=True)
class CancelledRun:
    """One run, cancelled at its ``number``-th suspension point, which was at ``where``."""

    number: int
    where: str
    problems: tuple[str, ...]


@dataclass(frozen=True)
class CancellationReport:
    """What ``cancel_at_each_await`` found: one run per suspension point."""

    runs: tuple[CancelledRun, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(
            f"cancelled at await {run.number} ({run.where}): {problem}"
            for run in self.runs
            for problem in run.problems
        )

    def check(self) -> None:
        """Raise ``AssertionError`` with the problems, if there are any."""
        if self.problems:
            raise AssertionError("\n".join(self.problems))


def cancel_at_each_await(
    fn: Callable[[], Coroutine[Any, Any, Any]],
    *,
    advance: Callable[[], object] | None = None,
    max_steps: int = 100,
    max_awaits: int = 1000,
    timeout: float = 5.0,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
) -> CancellationReport:
    """Run a coroutine again and again, cancelled at its first, second, ... suspension point.

    ``fn`` makes the coroutine and everything it needs, afresh for each run. Each run has a log
    context of its own, as a request would. Reported are

    - a cancellation that is swallowed, or turned into another exception;
    - an await that is stuck: it does not come to an end, before or after the cancellation;
    - a task that it leaves running, unless ``run_in_background`` keeps it, and a failure or a
      pending task that is dropped, so that only a log line tells of it;
    - a log context that is left set while the coroutine is suspended, lost when it ends, or
      restarted after the end of the request by work that it left behind.

    For Twisted, ``advance`` lets the world take a step (``lambda: clock.advance(1)``); it is
    called up to ``max_steps`` times until the coroutine resumes, and again after it has ended.
    Without it the coroutine runs on asyncio, on a new loop from ``loop_factory``, and an await is
    stuck when it takes more than ``timeout`` seconds.

    A coroutine that goes on for ``max_awaits`` suspensions is taken to be endless, and is not
    cancelled any later; one that goes on for ``max_steps`` suspensions after the cancellation
    is stuck.

    Seed ``cancellation``, "Handling cancellation correctly".
    """
    runs: list[CancelledRun] = []
    while len(runs) < max_awaits:
        probe = _Probe(len(runs) + 1, max_steps)
        if advance is not None:
            _run_on_twisted(fn, probe, advance, max_steps)
        else:
            _run_on_asyncio(fn, probe, timeout, loop_factory)
        if probe.where or probe.problems:
            runs.append(
                CancelledRun(probe.number, probe.where or "not reached", tuple(probe.problems))
            )
        if not probe.where:  # it ended before there was anything to cancel: that was all
            break
    return CancellationReport(tuple(runs))


# Where it waits is of interest in the code that is tested, not in these.
_LIBRARIES = ("asyncio", "contextlib", "twisted", __name__.rpartition(".")[0])


def _is_library(module: str) -> bool:
    return any(module == library or module.startswith(f"{library}.") for library in _LIBRARIES)


class _Probe:
    """Follows one run: counts its suspensions, and notices where it is to be cancelled."""

    def __init__(self, number: int, patience: int) -> None:
        self.number = number
        self.patience = patience
        self.abandoned = False
        self.where = ""
        self.problems: list[str] = []
        self.suspensions = 0
        self.context = LoggingContext(f"cancelled-at-{number}")
        self._coroutine: Any = None

    async def request(self, fn: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        self._coroutine = fn()
        with self.context:
            try:
                return await self._coroutine
            finally:
                found = current_context()
                if found is not self.context and not self.abandoned:
                    self.problems.append(f"lost its log context: it ended in {found}")
                    set_current_context(self.context)

    def suspended(self) -> bool:
        """To be called at each suspension. Is this the one to cancel at?"""
        self.suspensions += 1
        if current_context() is self.context and storage.thread_local:
            self.problems.append(f"suspended with its log context still set ({self.place()})")
            set_current_context(SENTINEL_CONTEXT)
        if self.suspensions == self.number:
            self.where = self.place()
            return True
        return False

    def hopeless(self) -> bool:
        """Whether it has gone on for too long after it was cancelled."""
        return self.suspensions >= self.number + self.patience

    def place(self) -> str:
        """The innermost line that waits, of the coroutine and of those that it awaits."""
        place = "ended"
        coroutine = self._coroutine
        while coroutine is not None:
            for kind in ("cr", "gi", "ag"):
                frame = getattr(coroutine, f"{kind}_frame", None)
                if frame is not None:
                    if not _is_library(frame.f_globals.get("__name__", "")):
                        place = f"{frame.f_code.co_name}, line {frame.f_lineno}"
                    awaited = "gi_yieldfrom" if kind == "gi" else f"{kind}_await"
                    coroutine = getattr(coroutine, awaited)
                    break
            else:
                break
        return place

    def ended(self, error: BaseException | None, cancelled: type[BaseException]) -> None:
        if not self.where:
            if error is not None:
                self.problems.append(f"failed without being cancelled: {error!r}")
        elif error is None:
            self.problems.append("the cancellation was swallowed")
        elif not isinstance(error, cancelled):
            self.problems.append(f"the cancellation was turned into {error!r}")


def _run_on_twisted(
    fn: Callable[[], Coroutine[Any, Any, Any]],
    probe: _Probe,
    advance: Callable[[], object],
    max_steps: int,
) -> None:
    from twisted.internet.defer import CancelledError
    from twisted.python.failure import Failure

    variables = contextvars.copy_context()
    coroutine = probe.request(fn)
    outcome: list[BaseException | None] = []

    # Not ensureDeferred: the cancellation must come at the very suspension that it is meant for,
    # though the world may move on by several of them in one step.
    def resume(result: Any) -> None:
        try:
            if isinstance(result, Failure):
                waiting = variables.run(result.throwExceptionIntoGenerator, coroutine)
            else:
                waiting = variables.run(coroutine.send, result)
        except StopIteration:
            outcome.append(None)
        except BaseException as error:
            outcome.append(error)
        else:
            cancel_now = probe.suspended()
            waiting.addBoth(resume)
            if cancel_now:
                with PreserveLoggingContext():
                    waiting.cancel()

    def step() -> None:
        advance()
        notice_leak()

    def notice_leak() -> None:
        found = current_context()
        if found:
            probe.problems.append(f"log context {found} was leaked to the reactor")
            set_current_context(SENTINEL_CONTEXT)

    with collected_reports() as reports, _dropped_failures(reports), PreserveLoggingContext():
        resume(None)
        steps, seen = 0, probe.suspensions
        while not outcome and steps < max_steps and not probe.hopeless():
            step()
            steps += 1
            if probe.suspensions != seen:
                steps, seen = 0, probe.suspensions
        if not outcome:
            probe.problems.append(f"stuck: still waiting in {probe.place()}")
            probe.abandoned = True
            coroutine.close()
            so_far = len(reports)
            for _ in range(max_steps):  # let go off what it waited for, and not in the next run
                advance()
                set_current_context(SENTINEL_CONTEXT)
            del reports[so_far:]
        else:
            probe.ended(outcome.pop(), CancelledError)
            for _ in range(max_steps if probe.where else 0):
                step()  # what was left behind may still use the context
        gc.collect()
        notice_leak()
    probe.problems.extend(reports)


@contextmanager
def _dropped_failures(reports: list[str]) -> Iterator[None]:
    """Collect what Twisted logs of Deferreds whose failure nobody has handled."""
    from twisted.logger import globalLogPublisher

    def log_observer(event: Any) -> None:
        failure = event.get("log_failure")
        if failure is not None and "debugInfo" in event:
            reports.append(f"a failure was dropped: {failure.value!r}")

    observe: Any = log_observer
    globalLogPublisher.addObserver(observe)
    try:
        yield
    finally:
        globalLogPublisher.removeObserver(observe)


class _Watched(Coroutine[Any, Any, Any]):
    """A coroutine that tells of each suspension."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], on_suspend: Callable[[], None]) -> None:
        self._coroutine = coroutine
        self._on_suspend = on_suspend

    def send(self, value: Any) -> Any:
        result = self._coroutine.send(value)
        self._on_suspend()
        return result

    def throw(self, *args: Any) -> Any:
        result = self._coroutine.throw(*args)
        self._on_suspend()
        return result

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        raise NotImplementedError("for a task only")


def _name(task: asyncio.Task[Any]) -> str:
    coroutine = task.get_coro()
    return getattr(coroutine, "__qualname__", type(coroutine).__name__)


def _run_on_asyncio(
    fn: Callable[[], Coroutine[Any, Any, Any]],
    probe: _Probe,
    timeout: float,
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        given_up = asyncio.Event()

        def on_suspend() -> None:
            if probe.hopeless():
                given_up.set()
            if probe.suspended():
                # As soon as it has come to rest, before anything else can wake it.
                loop.call_soon(lambda: task.cancel())

        task = asyncio.ensure_future(_Watched(probe.request(fn), on_suspend))
        seen = -1
        while not task.done() and probe.suspensions != seen and not probe.hopeless():
            seen = probe.suspensions
            giving_up = asyncio.ensure_future(given_up.wait())
            await asyncio.wait(
                [task, giving_up], timeout=timeout, return_when=asyncio.FIRST_COMPLETED
            )
            giving_up.cancel()
            await asyncio.wait([giving_up])
        if not task.done():
            probe.problems.append(f"stuck: still waiting in {probe.place()}")
            probe.abandoned = True
            task.cancel()
        elif task.cancelled():
            probe.ended(asyncio.CancelledError(), asyncio.CancelledError)
        else:
            probe.ended(task.exception(), asyncio.CancelledError)
        left_behind = asyncio.all_tasks() - {asyncio.current_task()}
        if left_behind and probe.where and not probe.abandoned:
            for dropped in sorted(_name(each) for each in left_behind if not futures.kept(each)):
                probe.problems.append(f"left a task running: {dropped}")
            await asyncio.wait(left_behind, timeout=timeout)
        for other in asyncio.all_tasks() - {asyncio.current_task()}:
            other.cancel()

    with collected_reports() as reports:
        loop = loop_factory()
        loop.set_exception_handler(lambda loop, event: reports.append(_described(event)))
        try:
            loop.run_until_complete(run())
            gc.collect()  # what was dropped tells of it now
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()
        gc.collect()
    probe.problems.extend(reports)


def _described(event: dict[str, Any]) -> str:
    error = event.get("exception")
    message = str(event["message"])
    return message if error is None else f"{message}: {error!r}"
