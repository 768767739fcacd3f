"""The command line, around an engine that is not the real one."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from logctx_lint.config.codes import CODES
from logctx_lint.config.settings import Settings
from logctx_lint.engine import runner
from logctx_lint.engine.linter import Linter
from logctx_lint.frontends.cli import main
from tests.support.fakes import FakeEngine


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and the fake engine."""

    def linter(settings: Settings, *, use_cache: bool, jobs: int = 1) -> Linter:
        return Linter(FakeEngine(), settings, CODES)

    monkeypatch.setattr(runner, "linter", linter)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def file(name: str, text: str) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def usage_error(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line on stderr of a run that cannot be done."""
    code: object
    try:
        code = main(arguments)
    except SystemExit as stopped:
        code = stopped.code
    out, error = capsys.readouterr()
    assert (code, out, error.count("\n")) == (2, "", 1), error
    return error.rstrip()


# Exit codes and what is printed


def test_a_clean_run_exits_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    file("x.py", "fine()\n")
    assert main(["check"]) == 0
    assert capsys.readouterr() == ("1 file checked, 0 findings\n", "")


def test_findings_exit_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    file("a/x.py", "drop()\n")
    assert main(["check", "-q", "a"]) == 1
    assert capsys.readouterr().out == "a/x.py:1:1: LCX101 `drop()` is bad\n"


def test_exit_zero_exits_with_0_in_spite_of_findings() -> None:
    file("x.py", "drop()\n")
    assert main(["check", "--exit-zero"]) == 0


def test_files_come_in_the_order_in_which_they_were_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    file("a.py", "drop()\n")
    file("b.py", "drop()\n")
    main(["check", "-q", "b.py", "a.py"])
    assert [line[:4] for line in capsys.readouterr().out.splitlines()] == ["b.py", "a.py"]


def test_json_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    file("x.py", "drop()\n")
    assert main(["check", "--output-format", "json"]) == 1
    [finding] = json.loads(capsys.readouterr().out)
    assert (finding["code"], finding["filename"]) == ("LCX101", "x.py")


def test_settings_flags_select_codes(capsys: pytest.CaptureFixture[str]) -> None:
    file("x.py", "drop()\nswallow()\n")
    assert main(["check", "-q", "--ignore=LCX1"]) == 1
    assert capsys.readouterr().out == "x.py:2:1: LCX301 `swallow()` is bad\n"
    assert main(["check", "-q", "--select=LCX303"]) == 0


def test_settings_of_the_project_count(capsys: pytest.CaptureFixture[str]) -> None:
    file("pyproject.toml", "[tool.logctx-lint]\nexclude = ['old']\nignore = ['LCX101']\n")
    file("old/x.py", "swallow()\n")
    file("x.py", "drop()\n")
    assert main(["check", "-q"]) == 0


def test_a_file_that_cannot_be_decoded_is_reported_and_the_run_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("a.py").write_bytes(b"\xff\n")
    file("b.py", "drop()\n")
    assert main(["check", "-q"]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("a.py:1:1: LCX000 not analysed: cannot be decoded: ")
    assert second.startswith("b.py:1:1: LCX101")


def test_a_failing_engine_is_reported_and_the_run_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    file("a.py", "boom()\n")
    file("b.py", "drop()\n")
    assert main(["check", "-q"]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("a.py:1:1: LCX000 not analysed: ")
    assert second.startswith("b.py:1:1: LCX101")


def test_an_internal_error_is_one_line_and_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oh")

    file("x.py", "")
    monkeypatch.setattr(runner, "linter", fail)
    message = "logctx-lint: internal error: ZeroDivisionError: oh"
    assert usage_error(capsys, "check") == message
    assert main(["check", "-v"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_findings_go_to_the_output_file_alone(capsys: pytest.CaptureFixture[str]) -> None:
    file("x.py", "drop()\n")
    assert main(["check", "--output-format=json", "--output-file=out.json"]) == 1
    assert capsys.readouterr() == ("", "")
    assert json.loads(Path("out.json").read_text())[0]["code"] == "LCX101"


def test_statistics_are_counts_alone(capsys: pytest.CaptureFixture[str]) -> None:
    file("x.py", "drop()\n")
    main(["check", "-q", "--statistics"])
    assert capsys.readouterr().out.splitlines() == ["    1  LCX101  unawaited-awaitable"]


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("E501", "the codes of this linter begin with LCX"),
        ("LCX9", '"logctx-lint rules" lists them'),
        ("LXC101", 'did you mean "LCX101"?'),
        ("dropped_task", 'did you mean "LCX204", dropped-task?'),
    ],
)
def test_a_word_that_is_no_code_is_told_from_a_mistyped_one(
    word: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert usage_error(capsys, "check", "--select", word) == (
        f'logctx-lint: error: --select: no code begins with "{word}"; {hint}'
    )


def test_roles_that_have_the_word_in_them_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    message = usage_error(capsys, "check", "--vocabulary", "starter:app.spawn")
    assert "did you mean one of background-starter, task-starter," in message


def test_a_settings_file_that_is_not_there_is_said_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    message = usage_error(capsys, "check", "--config=none.toml")
    assert message == "logctx-lint: error: none.toml: cannot be read: No such file or directory"


def test_a_mistyped_setting_of_flake8s_file_is_suggested_with_its_prefix(
    capsys: pytest.CaptureFixture[str],
) -> None:
    file(".flake8", "[flake8]\nlcx-profil = strict\n")
    assert usage_error(capsys, "check").endswith('unknown setting; did you mean "lcx-profile"?')


# A terminal


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def in_a_terminal(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[str, str]:
    """What a person sees of a run on standard output and standard error."""
    monkeypatch.setenv("TERM", "xterm")
    out, error = Terminal(), Terminal()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", out)
        patched.setattr(sys, "stderr", error)
        main(arguments)
    return out.getvalue(), error.getvalue()


def test_a_terminal_sees_colour_and_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    file("a.py", "drop()\n")
    file("b.py", "")
    out, error = in_a_terminal(monkeypatch, "check")
    assert "\x1b[1;31mLCX101\x1b[0m" in out
    assert "1/2 files\r\x1b[K\r[" in error
    assert error.endswith("2/2 files\r\x1b[K")


def test_who_wants_no_colour_sees_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    file("a.py", "drop()\n")
    out, _ = in_a_terminal(monkeypatch, "check")
    assert "LCX101" in out
    assert "\x1b" not in out


def test_an_output_file_is_not_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    file("a.py", "drop()\n")
    assert in_a_terminal(monkeypatch, "check", "-q", "--output-file=out") == ("", "")
    assert Path("out").read_text() == "a.py:1:1: LCX101 `drop()` is bad\n"


# Fixes


def test_fix_applies_safe_fixes_and_reports_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    path = file("x.py", "swallow()\r\ndrop()\r\n")
    assert main(["check", "--fix"]) == 1
    assert path.read_bytes() == b"kept()\r\ndrop()\r\n"
    out = capsys.readouterr().out
    assert "LCX301" not in out
    assert "1 file checked, 1 fix applied, 1 finding, 1 fixable with --fix --unsafe-fixes\n" in out


def test_unsafe_fixes_are_applied_when_asked_for() -> None:
    path = file("x.py", "swallow()\ndrop()\n")
    assert main(["check", "--fix", "--unsafe-fixes"]) == 0
    assert path.read_text() == "kept()\nawait drop()\n"


def test_a_suppressed_finding_is_not_fixed() -> None:
    path = file("x.py", "swallow()  # noqa: LCX301\n")
    assert main(["check", "--fix"]) == 0
    assert path.read_text() == "swallow()  # noqa: LCX301\n"


def test_nothing_to_fix_writes_nothing() -> None:
    path = file("x.py", "fine()\n")
    before = path.stat()
    assert main(["check", "--fix"]) == 0
    assert path.stat().st_ino == before.st_ino


def test_a_file_that_cannot_be_written_is_reported(
    capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    target = tmp_path_factory.mktemp("outside") / "x.py"
    target.write_text("swallow()\n")
    Path("x.py").symlink_to(target)
    assert main(["check", "--fix", "-q"]) == 1
    out, error = capsys.readouterr()
    assert out == "x.py:1:1: LCX301 `swallow()` is bad\n"
    assert error == (
        "logctx-lint: x.py: left alone: a symbolic link that leads out of the project\n"
    )


def test_diff_writes_nothing_and_shows_what_fix_would_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = file("x.py", "swallow()\n")
    assert main(["check", "--diff"]) == 1
    assert path.read_text() == "swallow()\n"
    assert capsys.readouterr().out == ("--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-swallow()\n+kept()\n")


def test_diff_shows_fixes_that_are_not_applied_as_comments(
    capsys: pytest.CaptureFixture[str],
) -> None:
    file("x.py", "drop()\n")
    assert main(["check", "--diff", "--unsafe-fixes"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[3:] == [
        "-drop()",
        "+await drop()",
        "# x.py:1:1: LCX101: not applied: start it (unsafe)",
        "# --- a/x.py",
        "# +++ b/x.py",
        "# @@ -1 +1 @@",
        "# -drop()",
        "# +start(drop)",
    ]


def test_diff_of_a_clean_run_is_empty(capsys: pytest.CaptureFixture[str]) -> None:
    file("x.py", "fine()\n")
    assert main(["check", "--diff"]) == 0
    assert capsys.readouterr().out == ""


# Standard input


def test_a_file_on_stdin_has_the_name_that_is_given(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin(monkeypatch, b"drop()\n")
    assert main(["check", "-q", "-", "--stdin-filename", "a/x.py"]) == 1
    assert capsys.readouterr().out == "a/x.py:1:1: LCX101 `drop()` is bad\n"


def test_stdin_without_a_name_is_called_stdin(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin(monkeypatch, b"drop()\n")
    assert main(["check", "-q", "-"]) == 1
    assert capsys.readouterr().out == "stdin:1:1: LCX101 `drop()` is bad\n"


def test_fixing_stdin_writes_the_text_to_stdout(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin(monkeypatch, "\ufeffswallow()\r\ndrop() # ä\r\n".encode())
    assert main(["check", "--fix", "-q", "-"]) == 1
    out, error = capfdbinary.readouterr()
    assert out == "\ufeffkept()\r\ndrop() # ä\r\n".encode()
    assert error == b"stdin:2:1: LCX101 `drop()` is bad\n"


def test_fixing_a_stdin_that_is_not_text_is_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin(monkeypatch, b"\xff")
    assert "standard input cannot be decoded" in usage_error(capsys, "check", "--fix", "-")


# Mistakes: one line each


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "nowhere.py"], "logctx-lint: error: nowhere.py: no such file or folder"),
        (["check", "empty"], "logctx-lint: error: no Python files in empty"),
        (
            ["check", "--unsafe-fixes"],
            "logctx-lint: error: --unsafe-fixes needs --fix or --diff",
        ),
        (
            ["check", "-", "x.py"],
            "logctx-lint: error: - stands for standard input and cannot be checked with other"
            " paths",
        ),
        (
            ["check", "--statistics", "--output-format", "sarif"],
            "logctx-lint: error: --statistics goes with the formats text and concise",
        ),
        (
            ["check", "--diff", "--output-file", "x"],
            "logctx-lint: error: --diff shows no findings that --output-file could take",
        ),
        (
            ["check", "--output-file", "no/x", "x.py"],
            "logctx-lint: error: no/x: cannot be written: there is no folder no",
        ),
        (
            ["check", "--jobs", "0"],
            'logctx-lint check: error: argument --jobs: expected a number from 1 or "auto", not "0"'
            " (see logctx-lint check --help)",
        ),
        (
            ["check", "--select", "LCX3O1"],
            'logctx-lint: error: --select: no code begins with "LCX3O1"; did you mean "LCX301"?',
        ),
        (
            ["check", "--unsafe-fix"],
            'logctx-lint check: error: unknown argument "--unsafe-fix"; did you mean'
            ' "--unsafe-fixes"? (see logctx-lint check --help)',
        ),
        (
            ["explain", "LCX3O1"],
            'logctx-lint: error: no rule has the code or name "LCX3O1"; did you mean "LCX301"?',
        ),
    ],
)
def test_a_mistake_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    Path("empty").mkdir()
    file("x.py", "")
    assert usage_error(capsys, *arguments) == message


@pytest.mark.parametrize(
    "arguments", [[], ["chek"], ["check", "--output-format", "xml"], ["explain"]]
)
def test_what_argparse_finds_wrong_is_one_line_too(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert "error: " in usage_error(capsys, *arguments)


def test_bad_settings_are_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    file("pyproject.toml", "[tool.logctx-lint\n")
    file("x.py", "")
    assert usage_error(capsys, "check").startswith("logctx-lint: error: pyproject.toml: not valid")


def test_a_list_of_files_that_are_all_excluded_is_no_mistake(
    capsys: pytest.CaptureFixture[str],
) -> None:
    file("old/x.py", "drop()\n")
    assert main(["check", "-q", "--force-exclude", "--exclude=old", "old/x.py"]) == 0
    assert capsys.readouterr() == ("", "")


# What stands around a run


def test_clearing_removes_the_cache(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    file(".logctx_cache/x", "")
    assert main(["cache", "clear"]) == 0
    assert not Path(".logctx_cache").exists()
    assert main(["cache", "clear"]) == 0
    cache = folder.resolve() / ".logctx_cache"
    assert capsys.readouterr().out == f"removed {cache}\nnothing to remove in {cache.parent}\n"


@pytest.mark.parametrize(
    ("name", "text", "advised"),
    [
        ("pyproject.toml", "[tool.ruff]\nline-length = 100\n", True),
        ("pyproject.toml", "[tool.ruff.lint]\nexternal = ['ABC']\n", True),
        ("pyproject.toml", "[tool.ruff.lint]\nexternal = ['LCX']\n", False),
        ("pyproject.toml", "[tool.ruff]\nexternal = ['LC']\n", False),
        ("pyproject.toml", "[tool.other]\n", False),
        ("ruff.toml", "", True),
        ("ruff.toml", "[lint]\nexternal = ['LCX']\n", False),
        (".ruff.toml", "[lint\n", False),
    ],
)
def test_who_runs_ruff_is_told_to_make_it_know_these_codes(
    capsys: pytest.CaptureFixture[str], name: str, text: str, advised: bool
) -> None:
    file("x.py", "drop()\n")
    file(name, text)
    main(["check"])
    assert ('external = ["LCX"]' in capsys.readouterr().err) == advised
    main(["check", "-q"])
    assert capsys.readouterr().err == ""
