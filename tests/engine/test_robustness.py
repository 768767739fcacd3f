"""Whatever a file holds, a run gives findings or LCX000, and goes on."""

from __future__ import annotations

import ast
import os
import time
import warnings
from collections.abc import Collection
from pathlib import Path

import pytest

from logctx_lint import time_limit
from logctx_lint.config.codes import NOT_ANALYSED, OPT_IN
from logctx_lint.config.settings import Settings
from logctx_lint.engine.engine import Engine
from logctx_lint.engine.linter import Linter, checked
from logctx_lint.engine.runner import linter
from logctx_lint.findings import Finding
from logctx_lint.incremental import memo
from logctx_lint.inference import widening
from logctx_lint.rules import RULES
from logctx_lint.syntax.source import LARGEST, Source, Unreadable
from tests.support import harness

_BEGIN = "async def g(*a): ...\n\n\nasync def f(a):\n"
_CODES = tuple(rule.code for rule in RULES)


def _checked(text: str, tmp_path: Path) -> list[Finding]:
    return _linter(tmp_path).check(Source(tmp_path / "x.py", text))


def _linter(folder: Path) -> Linter:
    opt_in = tuple(OPT_IN)
    return linter(Settings(root=folder, enable=opt_in), use_cache=False)


def _is_failure(finding: Finding) -> bool:
    return finding.code == NOT_ANALYSED and "inside logctx-lint" in finding.message


@pytest.mark.parametrize(
    "statement",
    [
        " or ".join(["g()"] * 20_000),
        "g() + " * 20_000 + "1",
        "x = " + " ".join(["'a'", 'f"{g()}"'] * 10_000),
        "(" * 1_000 + "g()" + ")" * 1_000,
        "g(" * 90 + ")" * 90,
        "a" + ".b" * 5_000,
        "a" + ".addCallback(g)" * 1_500,
        "lambda: " * 900 + "g()",
        "not " * 3_000 + "g()",
        "x = " + "9" * 5_000,
        "x = 1 << 10**9, 'a' * 10**10, g",
        "g()\0",
    ],
    ids=lambda text: text[:12],
)
def test_an_odd_statement_gives_findings_or_says_why_not(statement: str, tmp_path: Path) -> None:
    found = _checked(f"{_BEGIN}    {statement}\n", tmp_path)
    assert not any(map(_is_failure, found))


def test_deep_blocks_are_analysed(tmp_path: Path) -> None:
    blocks = "".join(f"{'    ' * depth}if a:\n" for depth in range(1, 95))
    [found] = _checked(f"{_BEGIN}{blocks}{'    ' * 95}g()\n", tmp_path)
    assert found.code == "LCX101"


def test_classes_that_inherit_each_other_many_times_over_end(tmp_path: Path) -> None:
    """Each of 40 generations has two parents, so that there are 2**40 ways up."""
    classes = "class C0: ...\nclass D0: ...\n" + "".join(
        f"class C{i}(C{i - 1}, D{i - 1}): ...\nclass D{i}(C{i - 1}, D{i - 1}): ...\n"
        for i in range(1, 40)
    )
    found = _checked(f"{classes}async def f(c: 'C39'):\n    c.nobody_has_it()\n", tmp_path)
    assert found == []


class _Endless:
    """An engine that never comes back."""

    def check(
        self, source: Source, codes: Collection[str], tree: ast.Module | None = None
    ) -> list[Finding]:
        while True:
            pass


class _Unspeakable:
    """An engine that fails with what cannot be shown."""

    def check(
        self, source: Source, codes: Collection[str], tree: ast.Module | None = None
    ) -> list[Finding]:
        raise _CannotBeShown


class _CannotBeShown(Exception):
    def __str__(self) -> str:
        raise RecursionError


def test_an_error_that_cannot_be_shown_stops_no_run() -> None:
    [found] = checked(_Unspeakable(), Source(Path("x.py"), ""), _CODES)
    assert found.message == "not analysed: an error inside logctx-lint: _CannotBeShown"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no timer of CPU time")
def test_a_file_that_takes_too_long_is_given_up() -> None:
    [found] = checked(_Endless(), Source(Path("x.py"), ""), _CODES, limit=0.01)
    assert found.message == "not analysed: it takes more than 0.01 seconds (setting time-limit)"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no timer of CPU time")
def test_a_run_goes_on_behind_a_file_that_took_too_long(tmp_path: Path) -> None:
    source = Source(tmp_path / "x.py", f"{_BEGIN}    g()\n" * 300)
    engine, fresh = (Engine(Settings(root=tmp_path), use_cache=False) for _ in range(2))

    def check_for_ever() -> None:
        while True:
            engine.check(source, _CODES)

    with pytest.raises(time_limit.TooSlow), time_limit.time_limit(0.01):
        check_for_ever()
    assert engine.check(source, _CODES) == fresh.check(source, _CODES)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no timer of CPU time")
def test_work_for_the_whole_project_is_not_charged_to_a_file() -> None:
    with time_limit.time_limit(0.02):
        with time_limit.uncharged():
            _use_time(0.06)
        with pytest.raises(time_limit.TooSlow):
            _use_time(1)


def _use_time(seconds: float) -> None:
    """CPU time, which a limit is about; it says nothing of how fast anything is."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_what_is_no_regular_file_is_not_read() -> None:
    """Reading a pipe would wait forever."""
    with pytest.raises(Unreadable, match="not a regular file"):
        Source.read(Path(os.devnull))


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(Unreadable, match="larger than 20 MB"):
        Source.read(path)


_UNTYPED = """
class Handler:
    def __init__(self, store):
        self.store = store

    async def run(self):
        self.store.save()
"""
_MAKES_HANDLERS = """
from pkg.handler import Handler
from pkg.store import Store

def make():
    return Handler(Store())
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package that must be looked through, because only other files say what a class holds."""
    folder = tmp_path / "pkg"
    folder.mkdir()
    folder.joinpath("__init__.py").touch()
    folder.joinpath("handler.py").write_text(_UNTYPED)
    folder.joinpath("store.py").write_text("class Store:\n    async def save(self): ...\n")
    folder.joinpath("use.py").write_text(_MAKES_HANDLERS)
    return folder


def _finds_its_bug(package: Path) -> bool:
    found = _linter(package.parent).check(Source.read(package / "handler.py"))
    return [each.code for each in found] == ["LCX101"]


def test_links_in_a_circle_are_not_followed(package: Path) -> None:
    """Two in one folder would double the ways with every step."""
    for name in ("a", "b"):
        package.joinpath(name).symlink_to(package)
    assert _finds_its_bug(package)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such pipes here")
def test_a_pipe_beside_the_file_is_not_read(package: Path) -> None:
    os.mkfifo(package / "pipe.py")
    assert _finds_its_bug(package)


def test_a_link_that_leads_nowhere_hides_no_other_file(package: Path) -> None:
    """Editors lock a file with one."""
    for name in "abcdefgh":
        package.joinpath(f".#{name}.py").symlink_to("nobody@nowhere")
    assert _finds_its_bug(package)


@pytest.mark.parametrize("limit", [0, 1])
def test_answers_that_are_cut_short_make_no_rule_fail(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where answers on a circle are given up at once, rules are told next to nothing."""
    monkeypatch.setattr(memo, "_MOST_CHANGES", limit)
    monkeypatch.setattr(widening, "_WIDEST", limit)
    for folder in ("lcx101", "lcx103", "lcx303"):
        check = _linter(harness.FIXTURES / folder).check
        for path in sorted((harness.FIXTURES / folder).rglob("*.py")):
            assert not any(map(_is_failure, check(Source.read(path))))


def test_what_python_has_to_say_about_other_files_is_not_printed(package: Path) -> None:
    package.joinpath("store.py").write_text(
        "x = '\\('\n\n\nclass Store:\n    async def save(self): ...\n"
    )
    with warnings.catch_warnings(record=True) as printed:
        warnings.simplefilter("always")
        assert _finds_its_bug(package)
    assert printed == []
