"""Opt-in rules: off until they are enabled, in every front end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from logctx_lint.config.codes import OPT_IN, active_codes
from logctx_lint.frontends.cli import main

_TEXT = """\
from logctx_lint.runtime import run_in_background


async def work() -> None: ...


def on_request() -> None:
    run_in_background(work)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with one finding of LCX206."""
    tmp_path.joinpath("x.py").write_text(_TEXT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def in_flake8(*arguments: str) -> list[str]:
    """The codes that flake8 reports."""
    command = [sys.executable, "-m", "flake8", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.stderr == ""
    return [line.split()[1] for line in run.stdout.splitlines()]


def on_command_line(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """The codes that `logctx-lint check` reports."""
    main(["check", "--output-format=json", *arguments])
    return [each["code"] for each in json.loads(capsys.readouterr().out)]


def test_without_the_switch_none_is_on() -> None:
    assert OPT_IN
    assert active_codes(()).isdisjoint(OPT_IN)


def test_the_switch_takes_codes_and_beginnings_of_codes() -> None:
    assert active_codes(("LCX206",)) & OPT_IN == {"LCX206"}
    assert active_codes(("LCX",)) >= OPT_IN


@pytest.mark.parametrize(
    "options", [["--select=LCX"], ["--select=LCX206"], ["--ignore=E"], ["--extend-select=LCX2"]]
)
def test_no_option_of_flake8_s_own_is_the_switch(options: list[str]) -> None:
    assert "LCX206" not in in_flake8(*options)


@pytest.mark.parametrize("jobs", ["-j1", "-j2"])
def test_flake8_has_the_switch(folder: Path, jobs: str) -> None:
    folder.joinpath("y.py").write_text(_TEXT)
    assert in_flake8("--select=LCX", "--lcx-enable=LCX206", jobs) == ["LCX206", "LCX206"]


def test_flake8_reads_the_switch_from_its_ini_file_and_pyproject(folder: Path) -> None:
    folder.joinpath("setup.cfg").write_text("[flake8]\nlcx-enable = LCX206\n")
    assert in_flake8("--select=LCX") == ["LCX206"]
    folder.joinpath("setup.cfg").unlink()
    folder.joinpath("pyproject.toml").write_text('[tool.logctx-lint]\nenable = ["LCX206"]\n')
    assert in_flake8("--select=LCX") == ["LCX206"]


def test_an_enabled_rule_can_be_ignored_in_flake8() -> None:
    assert in_flake8("--select=LCX", "--lcx-enable=LCX206", "--extend-ignore=LCX206") == []


def test_the_command_line_has_the_switch(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # One after the other, with the cache of the run before.
    assert on_command_line(capsys) == []
    assert on_command_line(capsys, "--enable=LCX206") == ["LCX206"]
    assert on_command_line(capsys, "--select=LCX206") == []
    assert on_command_line(capsys, "--enable=LCX206", "--ignore=LCX2") == []
    folder.joinpath("pyproject.toml").write_text('[tool.logctx-lint]\nenable = ["LCX2"]\n')
    assert on_command_line(capsys) == ["LCX206"]


def test_who_selects_a_rule_that_is_off_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "--select=LCX206"])
    note = "logctx-lint: note: LCX206 is opt-in: --enable=LCX206 switches it on"
    assert note in capsys.readouterr().err.splitlines()
    for options in (["--select=LCX206", "--enable=LCX2"], ["--select=LCX2"], []):
        main(["check", *options])
        assert "opt-in" not in capsys.readouterr().err


def test_a_comment_for_a_rule_that_is_off_is_not_unused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = _TEXT.replace("run_in_background(work)\n", "run_in_background(work)  # noqa: LCX206\n")
    folder.joinpath("x.py").write_text(text)
    assert on_command_line(capsys) == []
    assert on_command_line(capsys, "--enable=LCX206") == []
    folder.joinpath("x.py").write_text(text.replace("run_in_background(work)", "print()"))
    assert on_command_line(capsys) == []
    assert on_command_line(capsys, "--enable=LCX206") == ["LCX001"]


def test_the_table_of_rules_says_which_are_opt_in(capsys: pytest.CaptureFixture[str]) -> None:
    main(["rules", "--output-format=json"])
    rows = json.loads(capsys.readouterr().out)
    assert [row["code"] for row in rows if row["on"].startswith("opt-in")] == sorted(OPT_IN)
