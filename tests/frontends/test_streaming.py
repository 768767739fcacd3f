"""Findings are shown while other files are still being checked."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from logctx_lint.config.codes import CODES
from logctx_lint.config.settings import Settings
from logctx_lint.engine import runner
from logctx_lint.engine.linter import Linter
from logctx_lint.engine.runner import Outcome, Task
from logctx_lint.frontends.cli import main, terminal
from logctx_lint.reporting import baseline
from tests.support.fakes import FakeEngine

_FORMATS = ("text", "concise")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def linter(settings: Settings, *, use_cache: bool, jobs: int = 1) -> Linter:
        return Linter(FakeEngine(), settings, CODES)

    monkeypatch.setattr(runner, "linter", linter)
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.py").write_text("drop()\n" if name != "b" else "fine()\n")
    return tmp_path


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What has been shown when the outcome of each file comes, one after the other."""
    found: list[str] = []
    run = runner.run

    def watched(task: Task, paths: Sequence[Path], jobs: int = 1) -> Iterator[Outcome]:
        for outcome in run(task, paths, jobs):
            found.append(capsys.readouterr().out)
            yield outcome

    monkeypatch.setattr(runner, "run", watched)
    return found


@pytest.mark.parametrize("format_", _FORMATS)
def test_a_finding_is_shown_before_the_next_file(format_: str, seen: list[str]) -> None:
    main(["check", "--output-format", format_, "."])
    assert [each[:5] for each in seen] == ["", "a.py:", ""]


@pytest.mark.parametrize("format_", _FORMATS)
@pytest.mark.parametrize("flags", [[], ["-q"], ["--fix"], ["--color=always"]])
def test_it_is_what_an_output_file_gets(
    format_: str, flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["check", "--output-format", format_, *flags, "."])
    shown = capsys.readouterr().out
    main(["check", "--output-format", format_, *flags, "--output-file", "report", "."])
    assert shown == (tmp_path / "report").read_text()
    assert shown


@pytest.mark.parametrize("flags", [["--output-format=json"], ["--add-noqa"], ["--baseline=known"]])
def test_what_needs_all_files_waits(flags: list[str], seen: list[str], tmp_path: Path) -> None:
    (tmp_path / "known").write_text(json.dumps({"version": baseline._FORMAT, "findings": []}))
    main(["check", *flags, "."])
    assert seen == ["", "", ""]


def test_the_bar_makes_room(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "is_terminal", lambda _: True)
    monkeypatch.setattr(sys, "stdout", sys.stderr)
    main(["check", "--color=never", "."])
    shown = capsys.readouterr().err
    before, _, _ = shown.partition("a.py:1:1")
    assert before.endswith("files\r\x1b[K")
    assert "findings, 2 fixable with --fix --unsafe-fixes\n" in shown
