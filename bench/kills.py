"""Kill `check --fix` at random moments, many times, and look at what is left.

A run writes entries of the cache and fixed files, in turn. After every kill each file must be what
it was before or what it is after the fixes, and the next run, with the cache that the killed one
left, must find the same as one without a cache. Usage: ``python bench/kills.py [--times 200]
[--seed 0]``; exits with 1 when a file was harmed.
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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from logctx_lint.incremental.store import CACHE_FOLDER

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
    parser.add_argument("--times", type=int, default=200, help="runs that are killed")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tally = Counter[str]()
    for harm in kill(options.times, random.Random(options.seed), tally):
        print(harm)
    print("\n".join(f"{count} {what}" for what, count in sorted(tally.items())))
    sys.exit(tally["files harmed"] + tally["runs that differ"] > 0)


def kill(times: int, random: random.Random, tally: Counter[str]) -> Iterator[str]:
    """Kill so many runs; yields what was harmed."""
    with _project() as folder:
        before = _texts(folder)
        started = time.monotonic()
        subprocess.run(_FIX, cwd=folder, capture_output=True, check=False)
        longest = time.monotonic() - started
        after = _texts(folder)
    while tally["runs killed"] < times:
        with _project() as folder:
            if not _killed(folder, random.uniform(0.1, 1) * longest):
                tally["runs that ended before"] += 1
                continue
            tally["runs killed"] += 1
            yield from _harm(folder, before, after, tally)
            _count_what_is_left(folder, tally)


def _killed(folder: Path, seconds: float) -> bool:
    """Whether a run was killed before it came to its end."""
    process = subprocess.Popen(
        _FIX,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        # Its workers, too: they would go on for a while.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def _harm(
    folder: Path, before: Mapping[str, bytes], after: Mapping[str, bytes], tally: Counter[str]
) -> Iterator[str]:
    found = _texts(folder)
    fixed = sum(found.get(name) == text for name, text in after.items())
    tally["of these, some files fixed and others not"] += 0 < fixed < _FILES
    tally["of these, some of the cache written, and no file"] += not fixed and _has_cache(folder)
    for name in before:
        if found.get(name) not in (before[name], after[name]):
            tally["files harmed"] += 1
            yield f"{name}: {found.get(name)!r}"
    if _output(folder) != _output(folder, "--no-cache"):
        tally["runs that differ"] += 1
        yield "the cache of a killed run changes what is found"


def _count_what_is_left(folder: Path, tally: Counter[str]) -> None:
    """Half written copies, and how many of them the next run has left after their time."""
    left = [each for each in folder.iterdir() if each.suffix == ".logctx-lint"]
    in_cache = [
        each for each in folder.joinpath(CACHE_FOLDER).glob("*/??/*") if each.suffix != ".json"
    ]
    tally["half written copies left beside files"] += len(left)
    tally["half written entries left in the cache"] += len(in_cache)
    for each in (*left, *in_cache):
        os.utime(each, (0, 0))
    folder.joinpath(CACHE_FOLDER, "looked-after").unlink(missing_ok=True)
    subprocess.run(_FIX, cwd=folder, capture_output=True, check=False)
    tally["of either, still there after the next run"] += sum(
        map(os.path.exists, (*left, *in_cache))
    )


@contextmanager
def _project() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        _prepare(Path(name))
        yield Path(name)


def _has_cache(folder: Path) -> bool:
    return any(folder.joinpath(CACHE_FOLDER).glob("*/??/*.json"))


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
