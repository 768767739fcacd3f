"""The benchmark of seeded bugs, on a package small enough to know all of its places."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "bench" / "recall.py"
CODE = """
from twisted.internet import defer

async def read() -> int: ...

def unknown():
    return somewhere()

class Reader:
    async def run(self) -> None:
        await read()
        é = "é"; await read()
        await somewhere()
        count = await read()
        print(count + 1)

    @defer.inlineCallbacks
    def old(self):
        yield read()

def unrelated():
    yield read()

async def guarded(x):
    try:
        await x
    except defer.CancelledError:
        raise
    except Exception:
        pass
"""


def run(folder: Path, *options: str) -> list[str]:
    command = [sys.executable, str(BENCHMARK), str(folder), *options]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, encoding="utf-8"
    ).stdout.splitlines()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "pkg"
    folder.mkdir()
    (folder / "__init__.py").write_text(CODE, "utf-8")
    return folder


def test_each_edit_is_tried_and_judged(package: Path) -> None:
    _, awaited, assigned, _, yielded, *rest = run(package, "--missed", "5")
    assert "66.7% of   3 tried in    3 places  LCX101 2" in awaited
    assert "100.0% of   1 tried" in assigned
    assert "100.0% of   1 tried" in yielded
    handler = next(line for line in rest if line.startswith("`except"))
    assert "100.0% of   1 tried in    1 places  LCX301 1" in handler
    (missed,) = [line for line in rest if line.startswith("missed")]
    assert missed == "missed await: pkg/__init__.py:13: Reader.run: await somewhere()"
    assert (package / "__init__.py").read_text("utf-8") == CODE


def test_the_same_without_annotations(package: Path) -> None:
    options = ("--edits", "await", "--strip-annotations", "--number", "2", "--seed", "3")
    first = run(package, *options)
    assert first[0] == "pkg without annotations"
    assert "of   2 tried in    3 places" in first[1]
    assert run(package, *options) == first
