"""Kill `check --fix` at random moments, many times, and look at what is left.

After every kill each file must be what it was before or what it is after the fixes, and the next
run, with the cache that the killed one left, must find the same as one without a cache. Usage:
``python bench/kills.py [--times 200] [--seed 0]``; exits with 1 when a file was harmed.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_FILES = 60
_TEXT = """\
import asyncio


async def g{number}(): ...


async def f():
    g{number}()
    try:
        await g{number}()
    except BaseException:
        pass
"""
_CHECK = (sys.executable, "-m", "logctx_lint", "check", "--output-format=concise")
_FIX = (*_CHECK, "--fix", "--unsafe-fixes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tally = Counter[str]()
    for harm in kill(options.times, random.Random(options.seed), tally):
        print(harm)
    print(", ".join(f"{count} {what}" for what, count in sorted(tally.items())))
    sys.exit(tally["files harmed"] + tally["runs that differ"] > 0)


def kill(times: int, random: random.Random, tally: Counter[str]) -> Iterator[str]:
    """Do it so many times; yields what was harmed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _prepare(folder)
        before = _texts(folder)
        started = time.monotonic()
        subprocess.run(_FIX, cwd=folder, capture_output=True, check=False)
        longest = time.monotonic() - started
        after = _texts(folder)
    for _ in range(times):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            _prepare(folder)
            process = subprocess.Popen(
                _FIX,
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                process.wait(random.uniform(0.1, 1) * longest)
                tally["runs that ended before"] += 1
            except subprocess.TimeoutExpired:
                # Its workers, too: they would go on for a while.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                tally["runs killed"] += 1
            found = _texts(folder)
            changed = sum(found.get(each) == after[each] for each in after)
            tally["runs killed or ended with some files fixed and some not"] += 0 < changed < _FILES
            for each in before:
                if found.get(each) not in (before[each], after[each]):
                    tally["files harmed"] += 1
                    yield f"{each}: {found.get(each)!r}"
            tally["temporary files left"] += sum(each.suffix == ".tmp" for each in folder.iterdir())
            if _output(folder) != _output(folder, "--no-cache"):
                tally["runs that differ"] += 1
                yield "the cache of a killed run changes what is found"


def _prepare(folder: Path) -> None:
    folder.joinpath("pyproject.toml").write_text("[tool.logctx-lint]\n")
    for number in range(_FILES):
        folder.joinpath(f"x{number}.py").write_text(_TEXT.format(number=number))


def _texts(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.py")}


def _output(folder: Path, *arguments: str) -> str:
    command = [*_CHECK, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False, text=True).stdout


if __name__ == "__main__":
    main()
