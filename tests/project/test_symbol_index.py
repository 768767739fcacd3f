"""Which files of a package mention a name, from disk, from the cache and as they stand open."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from logctx_lint.incremental import store
from logctx_lint.project import files
from logctx_lint.project.facts import ModuleFacts
from logctx_lint.project.facts_cache import FactsCache
from logctx_lint.project.modules import Modules
from logctx_lint.project.symbol_index import Mentions, mentions
from logctx_lint.syntax.source import Source
from tests.support.projects import write

FILES = {
    "pkg/__init__.py": "",
    "pkg/a.py": "def f():\n    run(1)\n    x.colour = 2\n    self.size = 3\n",
    "pkg/sub/b.py": """
        class B(a.Base[int]):
            async def go(self): run()
            def stop(self): ...
    """,
    "pkg/tests/test_a.py": "run(2)\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, FILES)
    # What has changed just now is not trusted to stay so.
    for path in (tmp_path / "pkg").rglob("*.py"):
        os.utime(path, ns=(10**18, 10**18))
    return tmp_path


def mentioning(folder: Path, table: str, name: str, cache: Path | None = None) -> list[str]:
    modules = Modules((), FactsCache(cache))
    near = modules.find("pkg", folder)
    assert near is not None
    return [module.name for module, _ in modules.mentioning(table, name, near)]


@pytest.mark.parametrize(
    ("table", "name", "expected"),
    [
        ("called", "run", ["pkg.a"]),
        ("set", "colour", ["pkg.a"]),
        ("set", "size", []),
        ("inherited", "Base", ["pkg.sub.b"]),
        ("asynchronous", "go", ["pkg.sub.b"]),
        ("members", "stop", ["pkg.sub.b"]),
        ("members", "go", []),
    ],
)
def test_tables(folder: Path, table: str, name: str, expected: list[str]) -> None:
    assert mentioning(folder, table, name) == expected


def test_a_cached_index_says_the_same(folder: Path) -> None:
    cache = folder / "cache"
    for _ in range(2):
        assert mentioning(folder, "called", "run", cache) == ["pkg.a"]


def test_changed_new_and_removed_files_are_noticed(folder: Path) -> None:
    cache = folder / "cache"
    assert mentioning(folder, "called", "run", cache) == ["pkg.a"]
    (folder / "pkg/a.py").write_text("walk(1)\n")
    (folder / "pkg/A.py").write_text("run(1)\n")
    assert mentioning(folder, "called", "run", cache) == ["pkg.A"]
    (folder / "pkg/A.py").unlink()
    assert mentioning(folder, "called", "run", cache) == []
    assert mentioning(folder, "called", "walk", cache) == ["pkg.a"]


def test_an_index_is_the_same_in_whatever_order_the_files_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caches = []
    for number in range(2):
        monkeypatch.setattr(os, "getpid", lambda number=number: number)
        cache = folder / f"cache{number}"
        assert mentioning(folder, "called", "run", cache) == ["pkg.a"]
        caches.append([path.read_bytes() for path in (cache / "index").rglob("*.json")])
    assert caches[0] == caches[1] != []


def test_a_damaged_index_is_made_again(folder: Path) -> None:
    cache = folder / "cache"
    mentioning(folder, "called", "run", cache)
    (entry,) = (path for path in (cache / "index").rglob("*") if path.is_file())
    entry.write_bytes(entry.read_bytes()[:-3])
    assert mentioning(folder, "called", "run", cache) == ["pkg.a"]


def test_the_text_that_was_given_counts(folder: Path) -> None:
    modules = Modules((), FactsCache(None))
    near = modules.of_source(Source(folder / "pkg/a.py", "def f():\n    walk(1)\n"))
    assert modules.mentioning("called", "run", near) == []
    assert modules.mentioning("called", "walk", near) == [(near, ["f"])]


@pytest.mark.parametrize("seed", range(3))
def test_whatever_changes_the_index_says_what_one_made_anew_says(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    cache = folder / "cache"
    words = ["run", "walk", "go", "stop"]
    names = [f"pkg/{name}.py" for name in ("a", "b", "sub/b", "sub/c", "tests/test_a")]
    for step in range(30):
        path = folder / chance.choice(names)
        if path.exists() and chance.random() < 0.3:
            path.unlink()
        else:
            path.write_text("\n".join(f"{word}({step})" for word in chance.sample(words, 2)))
            os.utime(path, ns=(10**18 + step, 10**18 + step))
        for word in words:
            expected = mentioning(folder, "called", word)
            assert mentioning(folder, "called", word, cache) == expected


def test_of_a_changed_file_alone_the_index_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = folder / "cache"
    mentioning(folder, "called", "run", cache)
    (folder / "pkg/a.py").write_text("walk(1)\n")
    os.utime(folder / "pkg/a.py", ns=(10**18, 10**18))
    read: list[str] = []

    def watched(source: Source, facts: ModuleFacts) -> Mentions:
        read.append(source.path.name)
        return mentions(source, facts)

    monkeypatch.setattr(files, "mentions", watched)
    assert mentioning(folder, "called", "walk", cache) == ["pkg.a"]
    assert mentioning(folder, "called", "walk", cache) == ["pkg.a"]
    assert read == ["a.py"]


def test_a_row_that_says_something_else_is_read_again(folder: Path) -> None:
    cache = folder / "cache"
    mentioning(folder, "called", "run", cache)
    (entry,) = (path for path in (cache / "index").rglob("*") if path.is_file())
    body = entry.read_bytes()[33:].replace(b'[["run"]', b"[[1]")
    entry.write_bytes(store._checksum(entry.name, body) + b"\n" + body)
    assert mentioning(folder, "called", "run", cache) == ["pkg.a"]


def test_edits_give_what_an_index_made_anew_gives(folder: Path) -> None:
    chance = random.Random(1)
    modules = Modules((), FactsCache(None))
    near = modules.find("pkg", folder)
    assert near is not None
    words = ["run", "walk", "go", "stop"]
    for step in range(30):
        path = folder / chance.choice(["pkg/a.py", "pkg/b.py", "pkg/sub/b.py"])
        text = "\n".join(f"{word}({step})" for word in chance.sample(words, 2))
        modules.of_source(Source(path, text))
        path.write_text(text)
        for word in words:
            found = modules.mentioning("called", word, near)
            assert [module.name for module, _ in found] == mentioning(folder, "called", word)
