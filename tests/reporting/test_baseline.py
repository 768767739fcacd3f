"""Known findings: not reported again, and never more of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from logctx_lint.config.codes import CODES
from logctx_lint.config.settings import Settings
from logctx_lint.engine import runner
from logctx_lint.engine.linter import Linter
from logctx_lint.frontends.cli import main
from tests.support.fakes import FakeEngine

_NAME = "logctx-baseline.json"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with three known findings in two files, and the fake engine."""

    def linter(settings: Settings, *, use_cache: bool, jobs: int = 1) -> Linter:
        return Linter(FakeEngine(), settings, CODES)

    monkeypatch.setattr(runner, "linter", linter)
    monkeypatch.chdir(tmp_path)
    Path("a.py").write_text("drop()\nswallow()\n")
    Path("b.py").write_text("drop()\n")
    assert main(["baseline", "write"]) == 0
    Path("pyproject.toml").write_text(f"[tool.logctx-lint]\nbaseline = '{_NAME}'\n")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str], list[str]]:
    """Exit code and the lines on standard output and standard error."""
    capsys.readouterr()
    code = main(arguments)
    out, error = capsys.readouterr()
    return code, out.splitlines(), error.splitlines()


def check(
    capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, Sequence[str], Sequence[str]]:
    return run(capsys, "check", "-q", *arguments)


_HOW = 'logctx-lint: "logctx-lint baseline write" removes what is stale'


def test_what_is_known_is_not_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert check(capsys) == (0, [], [])


def test_a_flag_names_another_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path(_NAME).rename("other.json")
    Path("pyproject.toml").unlink()
    assert check(capsys)[0] == 1
    assert check(capsys, "--baseline=other.json") == (0, [], [])


def test_what_is_known_may_move(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.py").write_text("\n\nif 1:\n    drop()\n\n    swallow()  # here\n")
    assert check(capsys) == (0, [], [])


def test_what_is_new_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    Path("b.py").write_text("swallow()\ndrop()\n")
    assert check(capsys) == (1, ["b.py:1:1: LCX301 `swallow()` is bad"], [])


def test_one_more_of_what_is_known_is_new(capsys: pytest.CaptureFixture[str]) -> None:
    Path("b.py").write_text("drop()\ndrop()\n")
    assert check(capsys) == (1, ["b.py:2:1: LCX101 `drop()` is bad"], [])


def test_a_stale_entry_fails_until_it_is_removed(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.py").write_text("drop()\n")
    stale = f"logctx-lint: {_NAME}: stale: a.py: LCX301 in f"
    assert check(capsys) == (1, [], [stale, _HOW])
    assert run(capsys, "baseline", "check") == (1, [f"{_NAME}: stale 1, left 2"], [stale, _HOW])
    assert run(capsys, "baseline", "write") == (0, [f"{_NAME}: removed 1, left 2"], [])
    assert run(capsys, "baseline", "check") == (0, [f"{_NAME}: stale 0, left 2"], [])
    assert check(capsys) == (0, [], [])
    Path("a.py").write_text("drop()\nswallow()\n")
    assert check(capsys)[1] == ["a.py:2:1: LCX301 `swallow()` is bad"]


def test_writing_again_adds_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before = Path(_NAME).read_text()
    Path("b.py").write_text("drop()\nswallow()\n")
    code, out, [error] = run(capsys, "baseline", "write")
    assert (code, out) == (1, [f"{_NAME}: removed 0, left 3"])
    assert error.startswith("logctx-lint: 1 new and left out")
    assert Path(_NAME).read_text() == before


def test_whoever_has_no_setting_is_told_how_to_use_the_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path(_NAME).unlink()
    written = f"{_NAME}: written, known findings: 3"
    assert run(capsys, "baseline", "write") == (0, [written], [])
    Path(_NAME).unlink()
    Path("pyproject.toml").unlink()
    how = f'to use it, say baseline = "{_NAME}" below [tool.logctx-lint]'
    assert run(capsys, "baseline", "write") == (0, [written, how], [])


def test_entries_of_a_file_that_is_gone_are_stale(capsys: pytest.CaptureFixture[str]) -> None:
    Path("b.py").unlink()
    assert check(capsys, "a.py") == (
        1,
        [],
        [f"logctx-lint: {_NAME}: stale: b.py: LCX101 in f", _HOW],
    )


def test_a_run_judges_only_what_it_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.py").write_text("")
    assert check(capsys, "b.py") == (0, [], [])
    Path("a.py").write_text("drop()\n")
    assert check(capsys, "--select=LCX101") == (0, [], [])


def test_a_file_that_cannot_be_analysed_makes_nothing_stale(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("a.py").write_text("drop(\nboom()\n")
    code, [found], errors = check(capsys)
    assert (code, errors) == (1, [])
    assert found.startswith("a.py:1:1: LCX000")


def test_what_fixing_cured_is_stale(capsys: pytest.CaptureFixture[str]) -> None:
    assert check(capsys, "--fix")[2] == [f"logctx-lint: {_NAME}: stale: a.py: LCX301 in f", _HOW]


def test_the_file_has_a_line_for_each_entry() -> None:
    lines = Path(_NAME).read_text().splitlines()
    assert lines[:2] == ["{", '  "version": 1,']
    assert [line.partition(' "fingerprint"')[0].strip() for line in lines[5:8]] == [
        '{"file": "a.py", "code": "LCX101", "function": "f",',
        '{"file": "a.py", "code": "LCX301", "function": "f",',
        '{"file": "b.py", "code": "LCX101", "function": "f",',
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a baseline of logctx-lint"),
        ("[]", "not a baseline of logctx-lint"),
        ('{"version": 1, "findings": [{"x": 1}]}', "not a baseline of logctx-lint"),
        ('{"version": 9}', "from another version of logctx-lint; write it anew"),
        (None, 'no such file; "logctx-lint baseline write" makes it'),
    ],
)
def test_a_file_that_is_no_baseline_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], folder: Path, text: str | None, message: str
) -> None:
    Path(_NAME).unlink()
    if text is not None:
        Path(_NAME).write_text(text)
    error = f"logctx-lint: error: {folder / _NAME}: {message}"
    assert check(capsys) == (2, [], [error])
