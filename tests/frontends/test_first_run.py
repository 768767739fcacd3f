"""What a new user meets: refusals before anything is written, and what was decided and why."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from logctx_lint.config.codes import CODES
from logctx_lint.config.settings import Settings
from logctx_lint.engine import runner
from logctx_lint.engine.linter import Linter
from logctx_lint.frontends.cli import check, main, parser
from tests.support.fakes import FakeEngine


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and the fake engine."""

    def linter(settings: Settings, *, use_cache: bool, jobs: int = 1) -> Linter:
        return Linter(FakeEngine(), settings, CODES)

    monkeypatch.setattr(runner, "linter", linter)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, text: str) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def settings(text: str, folder: str = ".") -> None:
    write(f"{folder}/pyproject.toml", f"[tool.logctx-lint]\n{text}\n")


@pytest.mark.parametrize(
    "arguments", [["--baseline", "missing.json"], ["--output-file", "no/out.txt"], ["--select=X"]]
)
def test_what_is_refused_is_refused_before_a_file_is_fixed(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write("x.py", "swallow()\n")
    assert main(["check", "--fix", *arguments]) == 2
    assert path.read_text() == "swallow()\n"


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_a_read_only_file_is_left_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("x.py", "swallow()\n")
    # Somebody else's file.
    monkeypatch.setattr(os, "access", lambda name, mode: mode != os.W_OK)
    assert main(["check", "--fix"]) == 1
    assert "left alone: it is read-only" in capsys.readouterr().err
    assert path.read_text() == "swallow()\n"


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_a_file_that_nobody_may_write_is_left_alone_by_root_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write("x.py", "swallow()\n")
    path.chmod(0o444)
    assert main(["check", "--fix"]) == 1
    assert "left alone: it is read-only" in capsys.readouterr().err
    assert path.read_text() == "swallow()\n"


def test_settings_are_shown_with_where_they_were_said(capsys: pytest.CaptureFixture[str]) -> None:
    settings('framework = "asyncio"')
    write(".flake8", "[flake8]\nlcx-profile = strict\nextend-ignore = E501, LCX303\n")
    write("x.py", "drop()\n")
    assert main(["check", "--show-settings", "--storage=contextvar"]) == 0
    shown = capsys.readouterr().out
    assert "framework = asyncio  (pyproject.toml)" in shown
    assert "profile = strict  (.flake8)" in shown
    assert "storage = contextvar  (command line)" in shown
    assert "ignore = LCX303  (flake8's own settings in .flake8)" in shown
    assert "framework: asyncio in 1 (as set)" in shown
    assert "environment: none (" in shown


def test_the_environment_is_shown_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    write("x.py", "drop()\n")
    packages = Path("venv", "lib", "python3.12", "site-packages")
    for name in ("one-1.dist-info", "two-2.dist-info"):
        (packages / name).mkdir(parents=True)
    assert main(["check", "--show-settings"]) == 0
    shown = capsys.readouterr().out
    assert f"environment: {Path('venv').absolute()} (venv in the project's root)" in shown
    assert f"2 distributions in {packages.absolute()}" in shown
    assert main(["check", "--show-settings", "--environment=missing"]) == 0
    assert "note: environment: there is no site-packages below" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("extend-ignore = LCX101", 0),
        ("ignore = E501,LCX1", 0),
        ("per-file-ignores = x.py:LCX101", 0),
        ("exclude = other.py", 1),
        ("select = E", 1),
    ],
)
def test_what_flake8s_own_settings_say_of_our_codes_counts(line: str, expected: int) -> None:
    write(".flake8", f"[flake8]\n{line}\n")
    write("x.py", "drop()\n")
    assert main(["check", "-q"]) == expected


def test_the_nearest_settings_count_for_each_folder(capsys: pytest.CaptureFixture[str]) -> None:
    settings('ignore = ["LCX301"]')
    settings('ignore = ["LCX101"]', "service")
    for name in ("x.py", "service/y.py"):
        write(name, "drop()\nswallow()\n")
    main(["check", "-q", "."])
    found = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert sorted(found) == [["service/y.py:2:1:", "LCX301"], ["x.py:1:1:", "LCX101"]]


def test_settings_of_a_folder_of_its_own_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    settings('ignore = ["LCX301"]')
    settings('ignore = ["LCX101"]\nsource-roots = ["nowhere"]', "service")
    write("service/y.py", "drop()\n")
    assert main(["check", "--show-settings", "."]) == 0
    shown = capsys.readouterr().out.partition("settings of their own: service\n")[2]
    assert f"  ignore = LCX101  ({Path('service/pyproject.toml')})" in shown


def test_notes_are_told_of_the_settings_of_a_folder_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings('source-roots = ["nowhere"]', "service")
    write("service/y.py", "fine()\n")
    assert main(["check", "."]) == 0
    assert 'source-roots: there is no folder "nowhere"' in capsys.readouterr().err


def test_that_all_files_are_excluded_is_told_from_that_there_are_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write("service/y.py", "fine()\n")
    Path("empty").mkdir()
    assert main(["check", "service", "--exclude=service/*"]) == 2
    assert "no Python files in service but what is excluded" in capsys.readouterr().err
    assert main(["check", "empty"]) == 2
    assert "no Python files in empty\n" in capsys.readouterr().err


def test_one_file_of_settings_can_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    settings('ignore = ["LCX101"]')
    write("other.toml", '[tool.logctx-lint]\nignore = ["LCX301"]\n')
    write("x.py", "drop()\nswallow()\n")
    main(["check", "-q", "--config", "other.toml"])
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == ["LCX101"]


@pytest.mark.parametrize(
    ("name", "text", "note"),
    [
        ("pyproject.toml", "[tool.logctx_lint]\n", "the table is [tool.logctx-lint]"),
        ("pyproject.toml", '[tool.logctx-lint]\nsource-roots = ["nowhere"]\n', '"nowhere"'),
        ("pyproject.toml", '[tool.logctx-lint.hints]\nstore = "app.x.Store"\n', '"app.x.Store"'),
        (
            "pyproject.toml",
            '[tool.logctx-lint.vocabulary]\nbackground-starter = ["app.start"]\n',
            '"app.start"',
        ),
    ],
)
def test_settings_that_lead_nowhere_are_noted(
    name: str, text: str, note: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(name, text)
    write("app/__init__.py", "fine()\n")
    assert main(["check"]) == 0
    assert note in capsys.readouterr().err


def test_known_findings_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    write("x.py", "drop()\n")
    main(["baseline", "write"])
    capsys.readouterr()
    assert main(["check", "--baseline=logctx-baseline.json"]) == 0
    assert "1 known finding hidden by the baseline" in capsys.readouterr().out


def test_a_baseline_takes_in_findings_of_newer_rules_when_told_to() -> None:
    path = write("x.py", "drop()\n")
    main(["baseline", "write"])
    known = Path("logctx-baseline.json")
    known.write_text(known.read_text().replace(' "LCX301",', ""))
    path.write_text("drop()\nswallow()\n")
    assert main(["baseline", "write"]) == 1
    assert main(["baseline", "write", "--accept-new-rules"]) == 0
    path.write_text("drop()\nswallow()\nswallow()\ndrop()\n")
    assert main(["baseline", "write", "--accept-new-rules"]) == 1


def test_colour_can_be_forced(capsys: pytest.CaptureFixture[str]) -> None:
    write("x.py", "drop()\n")
    main(["check", "--color=always"])
    assert "\x1b[" in capsys.readouterr().out
    main(["check", "--color=never"])
    assert "\x1b[" not in capsys.readouterr().out


def test_an_interrupted_run_ends_quietly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    write("x.py", "drop()\n")
    monkeypatch.setattr(check, "_group", interrupted)
    assert main(["check"]) == 130
    assert capsys.readouterr().err == "logctx-lint: interrupted\n"


def test_an_interruption_while_the_program_loads_is_quiet_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(parser, "build", interrupted)
    assert main(["check"]) == 130
    assert capsys.readouterr().err == "logctx-lint: interrupted\n"


def test_a_run_without_standard_output_is_as_good(monkeypatch: pytest.MonkeyPatch) -> None:
    write("x.py", "drop()\n")
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["check"]) == 1


def test_a_full_disk_is_no_error_of_the_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    write("x.py", "drop()\n")
    monkeypatch.setattr(check, "_group", full)
    assert main(["check"]) == 2
    assert capsys.readouterr().err == "logctx-lint: error: No space left on device\n"


def test_findings_can_be_silenced_where_they_stand() -> None:
    path = write("x.py", "drop()\n")
    assert main(["check", "--add-noqa"]) == 0
    assert path.read_text() == "drop()  # noqa: LCX101\n"
    assert main(["check"]) == 0


def test_verbose_says_what_was_decided_and_left_out() -> None:
    write("pyproject.toml", '[tool.logctx-lint]\nexclude = ["old.py"]\n')
    for name in ("x.py", "old.py", "env/pyvenv.cfg", "env/y.py"):
        write(name, "fine()\n")
    command = [sys.executable, "-m", "logctx_lint", "check", "--no-cache", "-v", "."]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert f"logctx-lint: {Path('./env')}: left out: an environment" in said.replace("./", "")
    assert "old.py: left out: it is excluded" in said
    assert "exclude = old.py  (pyproject.toml)" in said
    assert "logctx-lint: files: 1 below " in said


def test_an_opt_in_rule_is_told_from_others(capsys: pytest.CaptureFixture[str]) -> None:
    write("x.py", "fine()\n")
    main(["check", "--enable=LCX101"])
    assert "enable: LCX101 is on anyway; opt-in are LCX206," in capsys.readouterr().err


def test_a_folder_that_cannot_be_read_is_not_passed_over_in_silence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write("x.py", "fine()\n")
    write("closed/y.py", "drop()\n")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if os.path.basename(path) == "closed":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert main(["check"]) == 0
    assert "closed: left out: cannot be read: Permission denied" in caplog.text


def test_a_revision_that_is_not_there_is_named(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    def git(*arguments: str, cwd: Path = folder) -> None:
        who = ["-c", "user.name=someone", "-c", "user.email=someone@example.org"]
        subprocess.run(["git", *who, *arguments], cwd=cwd, check=True, capture_output=True)

    write("x.py", "fine()\n")
    assert main(["check", "--changed-since=main"]) == 2
    assert "--changed-since: " in capsys.readouterr().err
    git("init", "--quiet", "--initial-branch=main")
    for message in ("one", "two"):
        write("x.py", f"fine()  # {message}\n")
        git("add", "--all")
        git("commit", "--quiet", "-m", message)
    assert main(["check", "--changed-since=nowhere"]) == 2
    assert 'git knows no revision "nowhere"\n' in capsys.readouterr().err
    git("clone", "--quiet", "--depth=1", folder.as_uri(), "shallow")
    os.chdir("shallow")
    assert main(["check", "--changed-since=HEAD~1"]) == 2
    assert "this clone is shallow" in capsys.readouterr().err
