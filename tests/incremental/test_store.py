"""The cache: whatever is in its folder, the facts are those of the text."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from logctx_lint.incremental import store
from logctx_lint.project.facts import ModuleFacts, extract
from logctx_lint.project.facts_cache import FactsCache
from logctx_lint.project.modules import Modules
from logctx_lint.syntax.source import Source

TEXT = "def f() -> int: ...\n"


def facts_of(text: str) -> ModuleFacts:
    source = Source(Path("module.py"), text)
    return extract(source, source.parse())


def entries(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*.json")) if path.is_file()]


@pytest.fixture
def stored(tmp_path: Path) -> FactsCache:
    """A cache in `tmp_path` that holds TEXT."""
    found = FactsCache(tmp_path)
    found.store(TEXT, facts_of(TEXT))
    return found


def test_what_was_stored_is_loaded(stored: FactsCache) -> None:
    assert stored.load(TEXT) == facts_of(TEXT)


def test_another_text_is_another_entry(stored: FactsCache) -> None:
    assert stored.load(TEXT + "\n") is None


def test_without_a_folder_nothing_is_remembered() -> None:
    forgetful = FactsCache(None)
    forgetful.store(TEXT, facts_of(TEXT))
    assert forgetful.load(TEXT) is None


def test_the_same_text_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        FactsCache(tmp_path / name).store(TEXT, facts_of(TEXT))
    (one,), (two,) = entries(tmp_path / "one"), entries(tmp_path / "two")
    assert one.read_bytes() == two.read_bytes()
    assert one.relative_to(tmp_path / "one") == two.relative_to(tmp_path / "two")


def _other_name(data: bytes) -> bytes:
    return data.replace(b'"f"', b'"g"')


def _without_functions(data: bytes) -> bytes:
    return data.replace(b'{"f":', b'{"":')


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:20],
        lambda data: data[:-1],
        lambda data: data + b" ",
        lambda data: b"\xff" * len(data),
        _other_name,
        _without_functions,
    ],
)
def test_a_damaged_entry_is_no_answer(
    stored: FactsCache, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    (entry,) = entries(tmp_path)
    entry.write_bytes(damage(entry.read_bytes()))
    assert stored.load(TEXT) is None


def test_a_damaged_entry_is_rebuilt(stored: FactsCache, tmp_path: Path) -> None:
    (entry,) = entries(tmp_path)
    good = entry.read_bytes()
    entry.write_bytes(good[:-3])
    module = Modules((), stored).of_source(Source(tmp_path / "module.py", TEXT))
    assert module.facts == facts_of(TEXT)
    assert entry.read_bytes() == good


def test_an_entry_under_another_name_is_no_answer(stored: FactsCache, tmp_path: Path) -> None:
    other = FactsCache(tmp_path / "other")
    other.store("x = 1\n", facts_of("x = 1\n"))
    (mine,) = entries(tmp_path / "facts")
    (theirs,) = entries(tmp_path / "other")
    mine.write_bytes(theirs.read_bytes())
    assert stored.load(TEXT) is None


def test_another_version_has_its_own_entries(
    stored: FactsCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_VERSION", b"another")
    assert stored.load(TEXT) is None


def test_a_folder_that_cannot_be_made_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    blocked = FactsCache(tmp_path / "file")
    blocked.store(TEXT, facts_of(TEXT))
    assert blocked.load(TEXT) is None


def test_a_write_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", fail)
    full = FactsCache(tmp_path)
    full.store(TEXT, facts_of(TEXT))
    assert entries(tmp_path) == []
    assert full.load(TEXT) is None


def test_two_writers_at_once_leave_one_good_entry(tmp_path: Path) -> None:
    def write() -> None:
        for _ in range(30):
            FactsCache(tmp_path).store(TEXT, facts_of(TEXT))

    writers = [Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(entries(tmp_path)) == 1
    assert FactsCache(tmp_path).load(TEXT) == facts_of(TEXT)


def test_a_text_that_utf_8_cannot_hold_is_stored_like_any_other(tmp_path: Path) -> None:
    text = "x = '\udcff'\n"
    odd = FactsCache(tmp_path)
    odd.store(text, facts_of("x = 1\n"))
    assert odd.load(text) == facts_of("x = 1\n")


def _age(path: Path, days: float) -> None:
    then = time.time() - days * 24 * 60 * 60
    os.utime(path, (then, then))


def test_what_no_run_has_used_for_long_is_removed(stored: FactsCache, tmp_path: Path) -> None:
    (entry,) = entries(tmp_path)
    left_over = entry.parent / "tmp-of-a-run-that-was-killed"
    left_over.touch()
    _age(left_over, 2)
    _age(entry, 15)
    assert stored.load(TEXT) == facts_of(TEXT)
    store.look_after(tmp_path)
    assert entry.exists()
    assert not left_over.exists()


def test_the_cache_is_looked_after_once_a_day(stored: FactsCache, tmp_path: Path) -> None:
    (entry,) = entries(tmp_path)
    store.look_after(tmp_path)
    _age(entry, 15)
    store.look_after(tmp_path)
    assert entry.exists()
    _age(tmp_path / "looked-after", 2)
    store.look_after(tmp_path)
    assert not entry.exists()


def test_no_cache_needs_no_looking_after(tmp_path: Path) -> None:
    store.look_after(tmp_path / "none")
    assert not (tmp_path / "none").exists()
