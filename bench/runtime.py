"""What the runtime costs, as ratios to plain Twisted or asyncio in the same run.

Each operation and its baseline are timed in turns, several times, in CPU time; the ratio printed is
the median over the rounds. Usage: ``python bench/runtime.py [--rounds 15]``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextvars
import gc
import logging
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, succeed

from logctx_lint.runtime import delay_cancellation, stop_cancellation, tasks
from logctx_lint.runtime.context import (
    LoggingContext,
    LoggingContextFilter,
    PreserveLoggingContext,
    configure,
    set_current_context,
)
from logctx_lint.runtime.deferreds import make_deferred_yieldable, run_in_background
from logctx_lint.runtime.storage import SENTINEL_CONTEXT

Timed = Callable[[int], None]  # does the thing so many times


@dataclass(frozen=True)
class Case:
    name: str
    baseline_name: str
    target: float
    synapse: str
    baseline: Timed
    ours: Timed
    accounting: bool = True
    in_context: bool = False
    repeat: int = 5000


class EmptyBlock:
    def __enter__(self) -> EmptyBlock:
        return self

    def __exit__(self, *exc: object) -> None:
        return None


def empty_with(times: int) -> None:
    for _ in range(times):
        with EmptyBlock():
            pass


def with_context(times: int) -> None:
    for _ in range(times):
        with LoggingContext("name"):
            pass


def preserve(times: int) -> None:
    for _ in range(times):
        with PreserveLoggingContext():
            pass


VARIABLE: contextvars.ContextVar[object] = contextvars.ContextVar("variable", default=None)


def variable_get(times: int) -> None:
    get = VARIABLE.get
    for _ in range(times):
        get()


def yieldable_complete(times: int) -> None:
    complete = succeed(None)
    for _ in range(times):
        make_deferred_yieldable(complete)


def callback(result: object) -> object:
    return result


def deferred_fired(times: int) -> None:
    for _ in range(times):
        deferred: Deferred[None] = Deferred()
        deferred.addBoth(callback)
        deferred.callback(None)


def yieldable_fired(times: int) -> None:
    for _ in range(times):
        deferred: Deferred[None] = Deferred()
        make_deferred_yieldable(deferred)
        deferred.callback(None)


async def at_once() -> None: ...


def chained(times: int) -> None:
    """What Synapse's stop_cancellation does: a new Deferred, chained to the original."""
    for _ in range(times):
        original: Deferred[None] = Deferred()
        waiter: Deferred[None] = Deferred()
        original.chainDeferred(waiter)
        original.callback(None)


def stopped(times: int) -> None:
    for _ in range(times):
        original: Deferred[None] = Deferred()
        stop_cancellation(original)
        original.callback(None)


def chained_with_canceller(times: int) -> None:
    """What Synapse's delay_cancellation does."""
    for _ in range(times):
        original: Deferred[None] = Deferred()

        def cancelled(waiter: Deferred[None]) -> None: ...

        waiter: Deferred[None] = Deferred(canceller=cancelled)
        original.chainDeferred(waiter)
        original.callback(None)


def delayed(times: int) -> None:
    for _ in range(times):
        original: Deferred[None] = Deferred()
        delay_cancellation(original)
        original.callback(None)


def ensure(times: int) -> None:
    for _ in range(times):
        ensureDeferred(at_once())


def in_background(times: int) -> None:
    for _ in range(times):
        run_in_background(at_once)


class Formatted(logging.Handler):
    """What a handler cannot do without: it formats the record. The request is in no format, so
    that the filter is all that differs."""

    def emit(self, record: logging.LogRecord) -> None:
        self.format(record)


def make_logger(name: str, filtered: bool) -> logging.Logger:
    logger = logging.getLogger(name)
    logger.propagate = False
    logger.setLevel(logging.INFO)
    handler = Formatted()
    fields = "%(asctime)s - %(name)s - %(lineno)d - %(levelname)s - %(message)s"
    handler.setFormatter(logging.Formatter(fields))
    if filtered:
        handler.addFilter(LoggingContextFilter())
    logger.addHandler(handler)
    return logger


PLAIN, FILTERED = make_logger("plain", False), make_logger("filtered", True)


def unfiltered_record(times: int) -> None:
    for _ in range(times):
        PLAIN.info("message %s", 1)


def filtered_record(times: int) -> None:
    for _ in range(times):
        FILTERED.info("message %s", 1)


def tasks_with(factory: Any) -> Timed:
    """Makes tasks one by one and awaits each, in a task that has one key in its context."""

    async def spawn(times: int) -> None:
        if factory is not None:
            tasks.set("key", "value")
        create = asyncio.get_running_loop().create_task
        for _ in range(times):
            await create(at_once())

    def run(times: int) -> None:
        loop = asyncio.new_event_loop()
        loop.set_task_factory(factory)
        try:
            loop.run_until_complete(spawn(times))
        finally:
            loop.close()

    return run


PLAIN_TASK = tasks_with(None)

CASES = (
    Case("with LoggingContext()", "empty with", 12, "23x", empty_with, with_context),
    Case(
        "with LoggingContext(), accounting off",
        "empty with",
        5,
        "",
        empty_with,
        with_context,
        accounting=False,
    ),
    Case(
        "PreserveLoggingContext(), switching",
        "empty with",
        10,
        "32x",
        empty_with,
        preserve,
        in_context=True,
    ),
    Case(
        "make_deferred_yieldable, complete",
        "ContextVar.get",
        30,
        "280x",
        variable_get,
        yieldable_complete,
        in_context=True,
    ),
    Case(
        "make_deferred_yieldable, incomplete, fired",
        "Deferred + addBoth + fire",
        3,
        "5.7x",
        deferred_fired,
        yieldable_fired,
        in_context=True,
    ),
    Case(
        "run_in_background, complete coroutine",
        "ensureDeferred of it",
        1.5,
        "2.7x",
        ensure,
        in_background,
        in_context=True,
    ),
    Case(
        "stop_cancellation, fired",
        "Deferred + chainDeferred + fire",
        1.0,
        "1.0x",
        chained,
        stopped,
    ),
    Case(
        "delay_cancellation, fired",
        "the same, with a canceller",
        1.1,
        "1.0x",
        chained_with_canceller,
        delayed,
    ),
    Case(
        "filter, per record",
        "no filter",
        1.10,
        "1.20x",
        unfiltered_record,
        filtered_record,
        in_context=True,
        repeat=2000,
    ),
    Case(
        "task_factory",
        "plain create_task",
        1.10,
        "1.12x",
        PLAIN_TASK,
        tasks_with(tasks.task_factory),
        repeat=2000,
    ),
    Case(
        "copying_task_factory, 1 key",
        "plain create_task",
        1.38,
        "1.38x",
        PLAIN_TASK,
        tasks_with(tasks.copying_task_factory),
        repeat=2000,
    ),
)


def seconds_for(function: Timed, times: int) -> float:
    started = time.process_time_ns()
    function(times)
    return (time.process_time_ns() - started) / times / 1e9


def measure(case: Case, rounds: int) -> tuple[float, float, float]:
    """Median seconds of the baseline and of ours, and the median of their ratios."""
    configure(accounting=case.accounting)
    if case.in_context:
        set_current_context(LoggingContext("bench"))
    case.baseline(case.repeat)
    case.ours(case.repeat)
    pairs = [
        (seconds_for(case.baseline, case.repeat), seconds_for(case.ours, case.repeat))
        for _ in range(rounds)
    ]
    set_current_context(SENTINEL_CONTEXT)
    baseline, ours = zip(*pairs, strict=True)
    ratio = statistics.median(mine / theirs for theirs, mine in pairs)
    return statistics.median(baseline), statistics.median(ours), ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=15, help="how often each pair is timed")
    rounds = parser.parse_args().rounds
    gc.collect()
    gc.freeze()
    print("| operation | baseline | ns | ours, ns | Synapse | target | ours | |")
    print("|---|---|---:|---:|---|---:|---:|---|")
    for case in CASES:
        baseline, ours, ratio = measure(case, rounds)
        verdict = "ok" if ratio <= case.target else "MISSED"
        print(
            f"| {case.name} | {case.baseline_name} | {baseline * 1e9:.0f} | {ours * 1e9:.0f} "
            f"| {case.synapse} | {case.target:g}x | {ratio:.2f}x | {verdict} |"
        )


if __name__ == "__main__":
    main()
