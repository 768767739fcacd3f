"""Rows 37 and 38 of the specification: counting under threads, and without a task factory."""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from logctx_lint import runtime
from logctx_lint.runtime import accounting, tasks
from logctx_lint.runtime.context import (
    LoggingContext,
    configure,
)

from .helpers import Main

# --- 37: exact counts under threads


def test_transactions_of_many_threads_are_counted_exactly(each_storage: str) -> None:
    parent = LoggingContext("request")
    threads, each = 6, 500
    barrier = threading.Barrier(threads)

    def work() -> None:
        child = LoggingContext("child", parent_context=parent)
        barrier.wait()
        for _ in range(each):
            child.add_database_transaction(1.0)
            child.record_event_fetch(1)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            for future in [pool.submit(work) for _ in range(threads)]:
                future.result()
    finally:
        sys.setswitchinterval(interval)
    used = parent.get_resource_usage()
    assert used.db_txn_count == used.db_txn_duration_sec == threads * each
    assert used.evt_db_fetch_count == threads * each


def test_charging_is_not_interrupted_by_another_thread() -> None:
    """The same, without luck: the count is read, and written only when the other had its time."""
    ours = LoggingContext("ours")
    other: list[threading.Thread] = []

    class Slow(runtime.ContextResourceUsage):
        def __getattribute__(self, name: str) -> Any:
            value = super().__getattribute__(name)
            if name == "db_txn_count" and not other:
                other.append(threading.Thread(target=ours.add_database_transaction, args=(1.0,)))
                other[0].start()
                other[0].join(0.1)
            return value

    ours._used = Slow()
    ours.add_database_transaction(1.0)
    other[0].join()
    assert ours.get_resource_usage().db_txn_count == 2


# --- 38: accounting in contextvar storage without a task factory


def test_unaccounted_tasks_say_so_and_charge_nobody_else(
    contextvar_storage: None,
    run: Callable[[Main], Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accounting, "_warned", False)
    configure(accounting=True)
    contexts: dict[str, LoggingContext] = {}

    def burn(seconds: float) -> None:
        end = time.thread_time() + seconds
        while time.thread_time() < end:
            pass

    async def request(name: str, seconds: float) -> None:
        with LoggingContext(name) as ours:
            contexts[name] = ours
            await asyncio.sleep(0)
            burn(seconds)
            await asyncio.sleep(0)

    async def main() -> None:
        plain = asyncio.Task  # what a server that knows nothing of us makes
        loop = asyncio.get_running_loop()
        both = [plain(request("idle", 0.0), loop=loop), plain(request("busy", 0.1), loop=loop)]
        await asyncio.wait(both)

    run(main)
    idle = contexts["idle"].get_resource_usage()
    assert idle.ru_utime + idle.ru_stime < 0.05
    assert [r.getMessage() for r in caplog.records if "not accounted for" in r.getMessage()]
    assert len([r for r in caplog.records if "not accounted for" in r.getMessage()]) == 1


def test_tasks_of_the_factory_are_charged_and_nothing_is_said(
    contextvar_storage: None,
    run: Callable[[Main], Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accounting, "_warned", False)
    configure(accounting=True)
    busy = LoggingContext("busy")

    async def request() -> None:
        with busy:
            await asyncio.sleep(0)
            end = time.thread_time() + 0.05
            while time.thread_time() < end:
                pass

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(tasks.task_factory)  # type: ignore[arg-type,unused-ignore]
        await loop.create_task(request())

    run(main)
    used = busy.get_resource_usage()
    assert used.ru_utime + used.ru_stime > 0.02
    assert not [r for r in caplog.records if "not accounted for" in r.getMessage()]
