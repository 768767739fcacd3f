"""Whatever stands in the cache, a run ends well and stays in its folder.

Damage of any kind leaves the findings as they are. An entry that somebody made on purpose, with the
checksum that belongs to it, may lie about a file; but it makes nothing fail.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from logctx_lint.config.settings import Settings
from logctx_lint.config.vocabulary import Role
from logctx_lint.engine.runner import Mode, Task, run
from logctx_lint.findings import Finding
from logctx_lint.incremental import store
from logctx_lint.incremental.store import CACHE_FOLDER
from logctx_lint.reporting.formats import FORMATS, writer
from logctx_lint.reporting.report import report_of

from .fuzzing import corpus, fuzzed

_FILES = {
    "pkg/__init__.py": "from pkg.store import *\n",
    "pkg/handler.py": (
        "import asyncio\nfrom pkg.cancel import cancellable\n\n\nclass Handler:\n"
        "    def __init__(self, store):\n        self.store = store\n\n"
        "    @cancellable\n    async def on_GET(self):\n        self.store.save()\n"
        "        await self.work()\n\n    async def work(self):\n"
        "        try:\n            await asyncio.sleep(1)\n        except BaseException:\n"
        "            pass\n"
    ),
    "pkg/store.py": "class Store:\n    size: int = 0\n\n    async def save(self) -> None: ...\n",
    "pkg/cancel.py": "def cancellable(method):\n    return method\n",
    "pkg/use.py": (
        "from pkg.handler import Handler\nfrom pkg.store import Store\n\n\n"
        "def make():\n    return Handler(Store())\n"
    ),
    # Of fewer files what a whole run reported is not kept.
    **{f"pkg/more/x{number}.py": f"x = {number}\n" for number in range(12)},
}
_SORTS = ("facts", "index", "program", "results", "runs", "trees")
Said = tuple[Path, Sequence[Finding], str]
"""What a run says of one file."""
Entries = dict[str, bytes]
"""By path below the cache's folder."""


class Project:
    """A project that has been checked once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        for name, text in _FILES.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            # What has changed just now is not trusted to stay so.
            os.utime(path, ns=(10**18, 10**18))
        self.cache = self.folder / CACHE_FOLDER
        self.expected = self.run()
        self.entries: Entries = {
            path.relative_to(self.cache).as_posix(): path.read_bytes()
            for path in sorted(self.cache.rglob("*.json"))
        }
        assert {name.partition("/")[0] for name in self.entries} == set(_SORTS)
        self._outside = sorted(folder.iterdir())
        assert {each.code for _, findings, _ in self.expected for each in findings} == {
            "LCX101",
            "LCX301",
            "LCX304",
        }

    def run(self) -> list[Said]:
        """What new runs say of every file, and what fixing would change."""
        names = {Role.CANCELLABLE_MARKER: ("pkg.cancel.cancellable",)}
        settings = Settings(root=self.folder, vocabulary=names, time_limit=20)
        files = sorted(self.folder.rglob("*.py"))
        checked = list(run(Task(settings), files))
        for write in map(writer, FORMATS):
            write(report_of(checked, settings), io.StringIO())
        shown = run(Task(settings, Mode.DIFF, unsafe=True), files)
        return [(each.path, each.findings, each.patch) for each in (*checked, *shown)]

    def run_with(self, entries: Entries) -> list[Said]:
        shutil.rmtree(self.cache)
        for name, data in entries.items():
            path = self.cache / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        found = self.run()
        for _, findings, _ in found:
            for each in findings:
                assert each.code != "LCX000", each
        assert sorted(self.folder.parent.iterdir()) == self._outside
        assert {path.suffix for path in self.cache.rglob("*") if path.is_file()} <= {".json", ""}
        return found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("fuzz"))


def _forged(name: str, body: bytes) -> bytes:
    """An entry with the checksum that belongs to it."""
    return store._checksum(name, body) + b"\n" + body


def _body(entry: bytes) -> bytes:
    return entry[33:]


# Damage


def _damaged(entries: Entries, seed: int) -> Entries:
    choice = random.Random(seed)
    changed = {}
    for name, data in entries.items():
        place = choice.randrange(len(data))
        match choice.randrange(12):
            case 0:
                data = data[:place]
            case 1:
                flipped = data[place] ^ 1 << choice.randrange(8)
                data = data[:place] + bytes([flipped]) + data[place + 1 :]
            case 2:
                data = data[:place] + choice.randbytes(choice.randrange(1, 40)) + data[place:]
            case 3:
                data = choice.choice(list(entries.values()))
            case 4:
                data = data[:place] + b"\0" * (len(data) - place)
            case 5:
                data = choice.randbytes(choice.randrange(100))
            case 6:
                continue
        changed[name] = data
    return changed


@fuzzed(15, seed=st.integers(0, 2**32))
def test_damage(seed: int, project: Project) -> None:
    assert project.run_with(_damaged(project.entries, seed)) == project.expected


# Forgery

_ODD: tuple[object, ...] = (
    *(None, True, 0, -1, 1, 10**30, -(10**30), 0.5, float("inf"), float("nan"), "", "a", "\0"),
    *("\n", "\ud800", "../../x", "../../../../../../dev/zero", "/etc/passwd", "/"),
    *("../../../../../../usr/**.py", "/#index", "../..#index", "*.py", "#index", "x" * 100_000),
    *("LCX999", "LCX000", "everything", "called", "called x", "item x", "body x", "(((("),
    *("a.b[c](", "-" * 5_000 + "1", "f(" * 90),
    *("pkg", "pkg.store", "Store", "self", "await", "...", "C[C]", "import os", "safe", "unsafe"),
    *([], {}, [[]], [None], {"": None}, {"a": {}}, [1, 2, 3, 4], [1, 0, 10**9, 0]),
)  # fmt: skip
_HOSTILE = tuple(map(json.dumps, _ODD))


def _nodes(value: list[Any] | dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Each container with each of its keys."""
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(inner, list | dict):
            yield from _nodes(inner)


def _reforged(body: bytes, choice: random.Random) -> bytes:
    """The same outer form, with something else inside."""
    lines = [[_parsed(part) for part in line.split(b"\t")] for line in body.split(b"\n")]
    for _ in range(choice.randrange(1, 4)):
        nodes = list(_nodes(lines))
        if not nodes:
            break
        container, key = choice.choice(nodes)
        hostile = json.loads(choice.choice(_HOSTILE))
        match choice.randrange(5):
            case 0 if isinstance(container, list):
                container.append(hostile)
            case 1:
                del container[key]
            case 2 if isinstance(container, dict) and isinstance(hostile, str):
                container[hostile] = container.pop(key)
            case 3:
                other, there = choice.choice(nodes)
                moved = json.dumps(other[there])
                container[key] = json.loads(moved)
            case _:
                container[key] = hostile
    return "\n".join(
        "\t".join(map(json.dumps, line if isinstance(line, list) else [line])) for line in lines
    ).encode()


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.decode()


def _without(sorts: tuple[str, ...], entries: Entries) -> Entries:
    return {name: data for name, data in entries.items() if not name.startswith(sorts)}


def _with_forgeries(entries: Entries, seed: int) -> Entries:
    choice = random.Random(seed)
    changed = dict(entries)
    for name in choice.sample(list(entries), choice.randrange(1, 4)):
        if choice.random() < 0.3:
            # What came from it is asked for again.
            changed = _without(("results", "runs"), changed)
        if name in changed:
            changed[name] = _forged(name, _reforged(_body(entries[name]), choice))
    return changed


@fuzzed(25, seed=st.integers(0, 2**32))
def test_forgery(seed: int, project: Project) -> None:
    project.run_with(_with_forgeries(project.entries, seed))


@corpus("cache")
@pytest.mark.parametrize("sort", _SORTS)
def test_the_corpus(data: bytes, sort: str, project: Project) -> None:
    """As every entry of one sort, with the checksum that belongs to it."""
    # What is not asked for is not looked at.
    unasked = {"runs": (), "program": (), "results": ("runs",)}.get(sort, ("results", "runs"))
    forged = {
        name: _forged(name, data) if name.startswith(sort) else entry
        for name, entry in _without(unasked, project.entries).items()
    }
    assert project.run_with(forged)
