"""Behaviours 8 and 9: what is charged to whom."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Generator, Iterator

import pytest

from logctx_lint.runtime import usage
from logctx_lint.runtime.context import (
    SENTINEL_CONTEXT,
    ContextResourceUsage,
    LoggingContext,
    PreserveLoggingContext,
    accounted,
    configure,
    current_context,
    in_child_context,
    nested_logging_context,
    set_current_context,
)

from .helpers import PATIENCE


class CpuClock:
    """The CPU clock of all threads, under the test's control."""

    user = 0.0
    system = 0.0

    def read(self) -> tuple[float, float]:
        return self.user, self.system


@pytest.fixture
def cpu(monkeypatch: pytest.MonkeyPatch) -> CpuClock:
    clock = CpuClock()
    monkeypatch.setattr(usage, "get_thread_resource_usage", clock.read)
    monkeypatch.setattr("logctx_lint.runtime.context.get_thread_resource_usage", clock.read)
    monkeypatch.setattr(usage, "RESOLUTION", -1.0)  # no reading is too recent
    return clock


@pytest.fixture
def each_accounting(each_storage: str) -> Iterator[str]:
    configure(accounting=True)
    usage.point_slot(None)
    yield each_storage
    usage.point_slot(None)


def spent(context: LoggingContext) -> tuple[float, float]:
    used = context.get_resource_usage()
    return used.ru_utime, used.ru_stime


# --- CPU time


def test_cpu_time_is_charged_while_current(each_accounting: str, cpu: CpuClock) -> None:
    with LoggingContext("main") as main:
        cpu.user += 1.0
        cpu.system += 0.25
        with PreserveLoggingContext():
            cpu.user += 50.0
        cpu.user += 2.0
    cpu.user += 50.0
    assert spent(main) == (3.0, 0.25)


def test_cpu_time_rolls_up_three_levels(each_accounting: str, cpu: CpuClock) -> None:
    with LoggingContext("a") as a:
        cpu.user += 1.0
        with nested_logging_context("b") as b:
            cpu.user += 2.0
            with nested_logging_context("c") as c:
                cpu.user += 4.0
                cpu.system += 0.5
    assert [spent(each) for each in (a, b, c)] == [(7.0, 0.5), (6.0, 0.5), (4.0, 0.5)]


def test_parent_that_finished_first_is_still_charged(
    each_accounting: str, cpu: CpuClock, reports: list[str]
) -> None:
    with LoggingContext("parent") as parent:
        child = nested_logging_context("child")
    with child:
        cpu.user += 1.0
    assert spent(parent) == (1.0, 0.0)
    assert reports == []


def test_time_of_the_running_stretch_is_included(each_accounting: str, cpu: CpuClock) -> None:
    with LoggingContext("main") as main:
        cpu.user += 1.0
        assert spent(main) == (1.0, 0.0)
        cpu.user += 1.0
        assert spent(main) == (2.0, 0.0)
    assert spent(main) == (2.0, 0.0)


def test_negative_deltas_clamp(each_accounting: str, cpu: CpuClock) -> None:
    cpu.user = cpu.system = 10.0
    with LoggingContext("main") as main:
        cpu.user = 9.0
        cpu.system = 11.0
        assert spent(main) == (0.0, 1.0)
    assert spent(main) == (0.0, 1.0)


def test_another_thread_reads_what_was_charged_only(each_accounting: str, cpu: CpuClock) -> None:
    """The stretch that is running cannot be known there, and its clock is another one."""
    seen: list[tuple[float, float]] = []
    with LoggingContext("main") as main:
        cpu.user += 1.0
        with PreserveLoggingContext():
            pass
        cpu.user += 2.0
        thread = threading.Thread(target=lambda: seen.append(spent(main)))
        thread.start()
        thread.join(PATIENCE)
        assert seen == [(1.0, 0.0)]
        assert spent(main) == (3.0, 0.0)


def test_thread_charges_the_parent(each_accounting: str, cpu: CpuClock, reports: list[str]) -> None:
    def work() -> LoggingContext:
        cpu.user += 2.0
        found = current_context()
        assert isinstance(found, LoggingContext)
        return found

    children: list[LoggingContext] = []
    with LoggingContext("main") as main:
        task = in_child_context(work)
    thread = threading.Thread(target=lambda: children.append(task()))
    thread.start()
    thread.join(PATIENCE)
    assert spent(children[0]) == (2.0, 0.0)
    assert spent(main) == (2.0, 0.0)
    assert reports == []


def test_platform_without_per_thread_usage(
    each_accounting: str, monkeypatch: pytest.MonkeyPatch, reports: list[str]
) -> None:
    monkeypatch.setattr(usage, "get_thread_resource_usage", usage._no_usage)
    monkeypatch.setattr("logctx_lint.runtime.context.get_thread_resource_usage", usage._no_usage)
    with LoggingContext("main") as main, nested_logging_context("child") as child:
        child.add_database_transaction(1.0)
    assert spent(main) == (0.0, 0.0)
    assert main.get_resource_usage().db_txn_count == 1
    assert reports == []


def test_real_clock_charges_work(each_accounting: str) -> None:
    if usage.get_thread_resource_usage() is None:
        return  # macOS and Windows: see test_platform_without_per_thread_usage
    with LoggingContext("main") as main:
        while sum(spent(main)) < 0.02:
            sum(range(1000))
    assert sum(spent(main)) >= 0.02


def test_accounting_off_charges_no_cpu_time(each_storage: str, cpu: CpuClock) -> None:
    configure(accounting=False)
    with LoggingContext("main") as main:
        cpu.user += 1.0
        main.add_database_transaction(1.0)
    assert spent(main) == (0.0, 0.0)
    assert main.get_resource_usage().db_txn_count == 1


def test_contextvar_accounting_is_off_by_default(contextvar_storage: None, cpu: CpuClock) -> None:
    with LoggingContext("main") as main:
        cpu.user += 1.0
    assert spent(main) == (0.0, 0.0)


def test_reading_is_used_again_within_the_resolution(
    each_accounting: str, cpu: CpuClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost: what a short stretch used is charged to whoever runs at the next reading."""
    now = [100.0]
    monkeypatch.setattr(usage, "_clock", usage._Clock())
    monkeypatch.setattr(usage, "perf_counter", lambda: now[0])
    monkeypatch.setattr(usage, "RESOLUTION", 1.0)
    with LoggingContext("short") as short:
        cpu.user += 0.5
        now[0] += 0.5
    with LoggingContext("long") as long:
        cpu.user += 3.0
        now[0] += 3.0
    assert spent(short) == (0.0, 0.0)
    assert spent(long) == (3.5, 0.0)


# --- Database time and counts


def test_database_time_and_counts_roll_up_three_levels(each_storage: str) -> None:
    a = LoggingContext("a")
    b = LoggingContext("b", parent_context=a)
    c = LoggingContext("c", parent_context=b)
    for context in (a, b, c):
        context.add_database_transaction(2.0)
        context.add_database_scheduled(0.5)
        context.record_event_fetch(10)
    used = [each.get_resource_usage() for each in (a, b, c)]
    assert [u.db_txn_count for u in used] == [3, 2, 1]
    assert [u.db_txn_duration_sec for u in used] == [6.0, 4.0, 2.0]
    assert [u.db_sched_duration_sec for u in used] == [1.5, 1.0, 0.5]
    assert [u.evt_db_fetch_count for u in used] == [30, 20, 10]


def test_negative_database_figures_clamp() -> None:
    context = LoggingContext("main")
    context.add_database_transaction(-1.0)
    context.add_database_scheduled(-1.0)
    context.record_event_fetch(-1)
    used = context.get_resource_usage()
    assert (used.db_txn_count, used.db_txn_duration_sec) == (1, 0.0)
    assert (used.db_sched_duration_sec, used.evt_db_fetch_count) == (0.0, 0)


def test_usage_is_a_copy() -> None:
    context = LoggingContext("main")
    before = context.get_resource_usage()
    context.record_event_fetch(1)
    assert before.evt_db_fetch_count == 0
    context.get_resource_usage().evt_db_fetch_count = 99
    assert context.get_resource_usage().evt_db_fetch_count == 1


def test_usage_arithmetic_and_copies() -> None:
    one = ContextResourceUsage()
    one.ru_utime, one.db_txn_count = 1.5, 2
    copied = one.copy()
    assert copied == one
    copied += one
    assert (copied.ru_utime, copied.db_txn_count) == (3.0, 4)
    assert (one.ru_utime, one.db_txn_count) == (1.5, 2)
    assert (one + one) == copied
    assert (copied - one) == one
    copied -= one
    assert copied == one
    copied.reset()
    assert copied == ContextResourceUsage()
    assert ContextResourceUsage(copy_from=one) == one
    assert one != "something else"


# --- 9: contextvar storage, where the loop switches contexts


@pytest.fixture
def slot_accounting(contextvar_storage: None) -> Iterator[None]:
    configure(accounting=True)
    usage.point_slot(None)
    yield
    usage.point_slot(None)


class Pause:
    def __await__(self) -> Generator[None, None, None]:
        yield None


def test_resumed_coroutine_is_charged_and_not_its_neighbour(
    slot_accounting: None, cpu: CpuClock, reports: list[str]
) -> None:
    contexts = {}

    async def work(name: str, seconds: float) -> None:
        with LoggingContext(name) as context:
            contexts[name] = context
            cpu.user += seconds
            await Pause()
            cpu.user += seconds
            await Pause()

    tasks = [
        (contextvars.copy_context(), accounted(work("one", 1.0))),
        (contextvars.copy_context(), accounted(work("two", 4.0))),
    ]
    for _ in range(2):
        for variables, task in tasks:
            variables.run(task.send, None)
            cpu.user += 100.0  # the loop's own
    assert spent(contexts["one"]) == (2.0, 0.0)
    assert spent(contexts["two"]) == (8.0, 0.0)
    for variables, task in tasks:
        variables.run(task.close)
    assert reports == []


def test_background_step_gives_the_slot_back_to_the_caller(
    slot_accounting: None, cpu: CpuClock
) -> None:
    async def background() -> None:
        with LoggingContext("background"):
            cpu.user += 4.0
            await Pause()

    with LoggingContext("main") as main:
        cpu.user += 1.0
        task = accounted(background())
        contextvars.copy_context().run(task.send, None)
        cpu.user += 2.0
    task.close()
    assert spent(main) == (3.0, 0.0)


def test_stale_slot_is_repointed_by_the_first_look(
    slot_accounting: None, cpu: CpuClock, reports: list[str]
) -> None:
    """A coroutine that somebody else drives: nobody says that it resumes."""
    elsewhere = contextvars.copy_context()
    main = LoggingContext("main")
    set_current_context(main)
    cpu.user += 1.0
    assert elsewhere.run(current_context) is SENTINEL_CONTEXT
    cpu.user += 50.0
    assert current_context() is main
    cpu.user += 2.0
    set_current_context(SENTINEL_CONTEXT)
    assert spent(main) == (3.0, 0.0)
    assert reports == []


def test_coroutine_is_returned_as_it_is_where_nothing_is_accounted(each_storage: str) -> None:
    configure(accounting=each_storage == "thread-local")

    async def work() -> None: ...

    coroutine = work()
    assert accounted(coroutine) is coroutine
    coroutine.close()


def test_exceptions_pass_through_an_accounted_coroutine(slot_accounting: None) -> None:
    async def work() -> str:
        try:
            await Pause()
        except KeyError:
            return "caught"
        return "not reached"

    task = accounted(work())
    task.send(None)
    with pytest.raises(StopIteration) as stop:
        task.throw(KeyError())
    assert stop.value.value == "caught"
