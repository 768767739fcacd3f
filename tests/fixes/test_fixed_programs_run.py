"""Programs with a mistake, as they are and fixed, are run: the fix cures what is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from logctx_lint.config import loading
from logctx_lint.config.codes import active_codes
from logctx_lint.engine.engine import Engine
from logctx_lint.findings import Finding
from logctx_lint.fixes import apply
from logctx_lint.syntax.source import Source

COLLECTED_TASK = """
import asyncio
import gc


class Room:
    def __init__(self) -> None:
        self._tasks: "set[asyncio.Task[None]]" = set()

    async def send(self) -> None:
        await asyncio.get_running_loop().create_future()

    def join(self) -> None:
        asyncio.create_task(self.send())


async def main() -> None:
    room = Room()
    room.join()
    await asyncio.sleep(0)
    gc.collect()
    print("tasks:", len(asyncio.all_tasks()))


asyncio.run(main())
"""
TASK_IN_A_MODULES_SET = """
import asyncio
import gc

running = set()


async def send() -> None:
    await asyncio.get_running_loop().create_future()


def start_kept() -> None:
    job = asyncio.ensure_future(send())
    running.add(job)
    job.add_done_callback(running.discard)


def start() -> None:
    asyncio.ensure_future(send())


async def main() -> None:
    start_kept()
    start()
    await asyncio.sleep(0)
    gc.collect()
    print("tasks:", len(asyncio.all_tasks()))


asyncio.run(main())
"""
NEVER_RUNS = """
import asyncio


async def note(text: str) -> None:
    print("noted", text)


async def main() -> None:
    note("a")
    print("done")


asyncio.run(main())
"""
NAMED_BUT_NOT_AWAITED = """
import asyncio


async def fetch(name: str) -> str:
    return name.upper()


async def main() -> None:
    text = fetch("a")
    print("is text:", isinstance(text, str))


asyncio.run(main())
"""
PASSED_BY = """
import asyncio


async def poll() -> None:
    for _ in range(3):
        try:
            await asyncio.sleep(0)
        except BaseException:
            print("failed")
            continue


async def main() -> None:
    task = asyncio.create_task(poll())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    print("cancelled:", task.cancelled())


asyncio.run(main())
"""
LET_OUT_BEHIND = """
import asyncio


class Link:
    def __init__(self) -> None:
        self.failures: "list[str]" = []

    async def run(self) -> str:
        try:
            await asyncio.sleep(9)
        except BaseException as error:
            self.failures.append(type(error).__name__)
        return "answer"


async def main() -> None:
    link = Link()
    task = asyncio.create_task(link.run())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    print(link.failures, "cancelled:", task.cancelled())


asyncio.run(main())
"""
ONE_WAITER_CANCELLED = """
import asyncio


class Cache:
    def __init__(self) -> None:
        self._loading: "dict[str, asyncio.Task[str]]" = {}

    async def _load(self, key: str) -> str:
        await asyncio.sleep(0.01)
        return key.upper()

    async def get(self, key: str) -> str:
        if key not in self._loading:
            self._loading[key] = asyncio.create_task(self._load(key))
        return await self._loading[key]


async def main() -> None:
    cache = Cache()
    first = asyncio.create_task(cache.get("a"))
    second = asyncio.create_task(cache.get("a"))
    await asyncio.sleep(0)
    first.cancel()
    [result] = await asyncio.gather(second, return_exceptions=True)
    print("second:", result)


asyncio.run(main())
"""
UNDONE_ON_FAILURE_ONLY = """
import asyncio


class Desk:
    def __init__(self) -> None:
        self.busy: "set[str]" = set()

    async def work(self, name: str) -> None:
        self.busy.add(name)
        try:
            await asyncio.sleep(9)
        except Exception:
            self.busy.discard(name)
            raise
        self.busy.discard(name)


async def main() -> None:
    desk = Desk()
    task = asyncio.create_task(desk.work("a"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    print("busy:", sorted(desk.busy), "cancelled:", task.cancelled())


asyncio.run(main())
"""
PROGRAMS = {
    "a loop that lives on": (
        PASSED_BY,
        "LCX301",
        "failed cancelled: False",
        "cancelled: True",
    ),
    "a handler that goes on with its work": (
        LET_OUT_BEHIND,
        "LCX301",
        "['CancelledError'] cancelled: False",
        "['CancelledError'] cancelled: True",
    ),
    "one of two waiters is cancelled": (
        ONE_WAITER_CANCELLED,
        "LCX303",
        "second:",
        "second: A",
    ),
    "what only a failure undoes": (
        UNDONE_ON_FAILURE_ONLY,
        "LCX310",
        "busy: ['a'] cancelled: True",
        "busy: [] cancelled: True",
    ),
    "a task that only the event loop knows": (COLLECTED_TASK, "LCX204", "tasks: 1", "tasks: 2"),
    "a task beside those that a module keeps": (
        TASK_IN_A_MODULES_SET,
        "LCX204",
        "tasks: 2",
        "tasks: 3",
    ),
    "a coroutine that never runs": (NEVER_RUNS, "LCX101", "done", "noted a done"),
    "a coroutine in place of its value": (
        NAMED_BUT_NOT_AWAITED,
        "LCX102",
        "is text: False",
        "is text: True",
    ),
}


@pytest.mark.parametrize("title", PROGRAMS)
def test_a_program_does_what_it_should_once_it_is_fixed(title: str, tmp_path: Path) -> None:
    text, code, bad, good = PROGRAMS[title]
    path = tmp_path / "program.py"
    path.write_text(text, encoding="utf-8")
    engine = Engine(loading.from_text({}, tmp_path), use_cache=False)
    codes = active_codes(())

    def check(source: Source) -> list[Finding]:
        return engine.check(source, codes)

    source = Source.read(path)
    assert [each.code for each in check(source)] == [code]
    fixed = apply.fix(source, check, unsafe=True)
    assert check(fixed.source) == []
    assert _output(text) == bad
    assert _output(fixed.source.text) == good


def _output(text: str) -> str:
    """What a program prints, in one line; what it says of work that was lost is left out."""
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return " ".join(ran.stdout.split())
