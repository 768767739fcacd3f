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
PROGRAMS = {
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
