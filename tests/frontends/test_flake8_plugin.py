"""The plugin inside the real flake8."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flake8.exceptions import ExecutionError
from flake8.options.parse_args import parse_args

from logctx_lint.engine import engine
from logctx_lint.frontends.flake8_plugin import Plugin

_EXAMPLES = Path(__file__).parents[2] / "examples"
_DROPPED = "async def work() -> None: ...\nasync def drop() -> None:\n    work()\n"
_FOUND = "x.py:3:5: LCX101"

# flake8 takes the start method from multiprocessing and has no option for it.
_RUNNER = """
import multiprocessing, sys
from flake8.main.cli import main
if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
"""


def flake8(
    folder: Path, *arguments: str, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flake8", *arguments],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def found(folder: Path, *arguments: str, stdin: str | None = None) -> list[str]:
    """The lines that flake8 prints, of a run without an error."""
    run = flake8(folder, *arguments, stdin=stdin)
    assert run.stderr == ""
    assert run.returncode in (0, 1)
    return run.stdout.splitlines()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The sample from the README, whose findings come across files."""
    shutil.copytree(_EXAMPLES / "mailer", tmp_path / "mailer")
    return tmp_path


@pytest.fixture
def dropped(tmp_path: Path) -> Path:
    """A folder with one finding."""
    tmp_path.joinpath("x.py").write_text(_DROPPED)
    return tmp_path


@pytest.fixture
def in_process(dropped: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(dropped)
    yield dropped
    Plugin.active = None


def run_plugin(text: str = _DROPPED) -> list[tuple[int, int, str]]:
    plugin = Plugin(ast.parse(text), "x.py", text.splitlines(keepends=True))
    return [(line, column, message) for line, column, message, _ in plugin.run()]


# The same findings, however flake8 runs


def test_findings_come_across_files(project: Path) -> None:
    codes = [
        line.split()[1] for line in found(project, "--select=LCX", "-j1", "--lcx-profile=strict")
    ]
    assert codes == ["LCX101", "LCX201", "LCX301", "LCX302", "LCX303"]


def test_parallel_workers_find_the_same(project: Path) -> None:
    alone = found(project, "--select=LCX", "-j1")
    assert found(project, "--select=LCX", "-j4") == alone
    assert alone


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_workers_that_are_not_forked_find_the_same(project: Path, method: str) -> None:
    script = project / "runner.py"
    script.write_text(_RUNNER)
    arguments = ["--select=LCX", "--lcx-framework=twisted", "-j2", "mailer"]
    run = subprocess.run(
        [sys.executable, str(script), method, *arguments],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr == ""
    assert run.stdout.splitlines() == found(project, *arguments, "-j1")
    assert run.stdout


def test_a_file_alone_has_the_same_findings(project: Path) -> None:
    together = found(project, "--select=LCX", "mailer")
    assert found(project, "--select=LCX", "mailer/service.py") == together
    assert together


def test_a_file_on_stdin_has_the_same_findings(project: Path) -> None:
    text = project.joinpath("mailer", "service.py").read_text()
    arguments = ["--select=LCX", "--stdin-display-name=mailer/service.py", "-"]
    piped = found(project, *arguments, stdin=text)
    assert piped == found(project, "--select=LCX", "mailer/service.py")
    assert piped


def test_stdin_without_a_name_is_linted(dropped: Path) -> None:
    [line] = found(dropped, "--select=LCX", "-", stdin=_DROPPED)
    assert line.startswith("stdin:3:5: LCX101 ")


def test_the_command_line_finds_the_same(project: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "logctx_lint", "check", "-q", "mailer"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.splitlines() == found(project, "--select=LCX", "mailer")
    assert run.stdout


def test_columns_are_characters(tmp_path: Path) -> None:
    text = _DROPPED.replace("    work()", "    'ä😀'; work()")
    tmp_path.joinpath("x.py").write_text(text, encoding="utf-8")
    [line] = found(tmp_path, "--select=LCX")
    assert line.startswith("./x.py:3:11: LCX101 ")


# What is selected


def test_without_any_option_the_plugin_is_on(dropped: Path) -> None:
    assert any(_FOUND in line for line in found(dropped))


@pytest.mark.parametrize("option", ["--select=E,LCX101", "--extend-ignore=LCX3", "--select=LCX1"])
def test_a_selected_code_is_reported(dropped: Path, option: str) -> None:
    assert any(_FOUND in line for line in found(dropped, option))


@pytest.mark.parametrize("option", ["--select=E", "--extend-ignore=LCX", "--select=LCX3"])
def test_a_code_that_is_not_selected_is_not_reported(dropped: Path, option: str) -> None:
    assert not any("LCX" in line for line in found(dropped, option))


@pytest.mark.parametrize("option", ["--select=E,W,F", "--ignore=LCX", "--extend-ignore=LCX"])
def test_when_no_code_is_selected_the_engine_is_not_imported(dropped: Path, option: str) -> None:
    dropped.joinpath("pyproject.toml").write_text("not even read")
    script = (
        "import sys\nfrom flake8.main.cli import main\n"
        f"main(['-j1', '-q', {option!r}, 'x.py'])\n"
        "print([name for name in sys.modules if name.startswith('logctx_lint')])\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=dropped, capture_output=True, text=True, check=True
    )
    imported = run.stdout.splitlines()[-1]
    assert "logctx_lint.frontends.flake8_plugin" in imported
    # These take time to import.
    for name in ("engine.engine", "analysis", "rules", "inference"):
        assert f"logctx_lint.{name}" not in imported


# Suppression and settings


def test_noqa_comments_count(tmp_path: Path) -> None:
    tmp_path.joinpath("x.py").write_text(_DROPPED.replace("work()\n", "work()  # noqa: LCX101\n"))
    assert found(tmp_path, "--select=LCX") == []


def test_per_file_ignores_of_flake8_count(dropped: Path) -> None:
    assert found(dropped, "--select=LCX", "--per-file-ignores=x.py:LCX101") == []


def test_per_file_ignores_of_pyproject_count(dropped: Path) -> None:
    dropped.joinpath("pyproject.toml").write_text(
        '[tool.logctx-lint.per-file-ignores]\n"x.py" = ["LCX1"]\n'
    )
    assert found(dropped, "--select=LCX") == []


def test_settings_come_from_pyproject_ini_and_flags(dropped: Path) -> None:
    dropped.joinpath("x.py").write_text("import mine\nasync def f():\n    mine.stop()\n")
    dropped.joinpath("mine.py").write_text("async def stop() -> None: ...\n")
    assert len(found(dropped, "--select=LCX")) == 1
    flag = "--lcx-vocabulary=droppable: mine.stop"
    assert found(dropped, "--select=LCX", flag) == []
    dropped.joinpath("setup.cfg").write_text(
        "[flake8]\nlcx-vocabulary =\n    droppable: mine.stop\n"
    )
    assert found(dropped, "--select=LCX") == []
    dropped.joinpath("setup.cfg").unlink()
    dropped.joinpath("pyproject.toml").write_text(
        '[tool.logctx-lint]\nvocabulary = { droppable = ["mine.stop"] }\n'
    )
    assert found(dropped, "--select=LCX") == []
    assert len(found(dropped, "--select=LCX", "--isolated")) == 1


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--lcx-framework=asynico", "lcx-framework: expected "),
        ("--lcx-enable=LCX9", 'lcx-enable: no code begins with "LCX9"'),
    ],
)
def test_a_bad_setting_ends_the_run_with_one_line(dropped: Path, option: str, message: str) -> None:
    run = flake8(dropped, "--select=LCX", option)
    assert run.returncode == 1
    assert run.stderr == ""
    assert run.stdout.splitlines()[1].startswith(message)
    assert len(run.stdout.splitlines()) == 2


def test_an_unknown_setting_in_the_ini_file_ends_the_run(dropped: Path) -> None:
    dropped.joinpath("tox.ini").write_text("[flake8]\nlcx-framwork = both\n")
    run = flake8(dropped, "--select=LCX")
    assert (run.returncode, run.stderr) == (1, "")
    assert (
        'tox.ini: [flake8] lcx-framwork: unknown setting; did you mean "lcx-framework"?'
        in run.stdout
    )
    assert len(found(dropped, "--select=LCX", "--isolated")) == 1


def test_a_bad_pyproject_ends_the_run(dropped: Path) -> None:
    dropped.joinpath("pyproject.toml").write_text("[tool")
    run = flake8(dropped, "--select=LCX")
    assert (run.returncode, run.stderr) == (1, "")
    assert "pyproject.toml: not valid TOML" in run.stdout


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("[tool.logctx_lint]", "the table is [tool.logctx-lint]"),
        ('[tool.logctx-lint]\nsource-roots = ["nowhere"]', '"nowhere"'),
        ('[tool.logctx-lint]\nignore = ["LCX1"]', "ignore: flake8 goes by its own"),
        ('[tool.logctx-lint]\nexclude = ["x.py"]', "looks at x.py as well"),
        ('[tool.logctx-lint]\nbaseline = "known.json"', "flake8 reports known findings, too"),
    ],
)
def test_what_flake8_does_not_go_by_is_said_once(dropped: Path, text: str, note: str) -> None:
    dropped.joinpath("pyproject.toml").write_text(text)
    dropped.joinpath("y.py").write_text(_DROPPED)
    run = flake8(dropped, "--select=LCX", "-j2")
    assert len(run.stdout.splitlines()) == 2
    assert note in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_nothing_is_said_of_what_flake8_is_told_itself(dropped: Path) -> None:
    dropped.joinpath("pyproject.toml").write_text(
        '[tool.logctx-lint]\nignore = ["LCX1"]\nexclude = ["y.py"]\n'
    )
    dropped.joinpath("y.py").write_text(_DROPPED)
    assert found(dropped, "--select=LCX", "--extend-ignore=LCX1", "--extend-exclude=y.py") == []


# What goes wrong does not stop the run


def test_a_syntax_error_elsewhere_does_not_stop_the_run(dropped: Path) -> None:
    dropped.joinpath("w.py").write_text("def (:\n")
    first, second = found(dropped, "--select=LCX,E9")
    assert "./w.py:1" in first
    assert "E999" in first
    assert second.startswith(f"./{_FOUND}")


@pytest.mark.parametrize("error", [RecursionError("deep"), MemoryError(), KeyError("k")])
def test_an_exception_in_the_engine_becomes_a_finding(
    in_process: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(engine.Engine, "check", fail)
    parse_args(["--isolated", "--select=LCX"])
    [(line, column, message)] = run_plugin()
    assert (line, column) == (1, 0)
    assert message.startswith("LCX000 not analysed: ")
    assert type(error).__name__ in message


def test_an_exception_while_the_engine_is_made_becomes_a_finding(
    in_process: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no cache")

    monkeypatch.setattr(engine.Engine, "__init__", fail)
    parse_args(["--isolated", "--select=LCX"])
    [(_, _, message)] = run_plugin()
    assert message.startswith("LCX000 ")


# The contract with flake8


def test_lines_count_from_1_and_columns_from_0(in_process: Path) -> None:
    parse_args(["--isolated", "--select=LCX"])
    [(line, column, message)] = run_plugin()
    assert (line, column, message[:7]) == (3, 4, "LCX101 ")


def test_the_shared_tree_is_not_changed(in_process: Path) -> None:
    parse_args(["--isolated", "--select=LCX"])
    tree = ast.parse(_DROPPED)
    before = ast.dump(tree, include_attributes=True)
    attributes = [set(vars(node)) for node in ast.walk(tree)]
    assert list(Plugin(tree, "x.py", _DROPPED.splitlines(keepends=True)).run())
    assert ast.dump(tree, include_attributes=True) == before
    assert [set(vars(node)) for node in ast.walk(tree)] == attributes


def test_bad_settings_raise_what_flake8_prints(in_process: Path) -> None:
    with pytest.raises(ExecutionError, match="lcx-storage"):
        parse_args(["--isolated", "--select=LCX", "--lcx-storage=disk"])


def test_options_of_an_earlier_run_are_forgotten(in_process: Path) -> None:
    parse_args(["--isolated", "--select=LCX"])
    parse_args(["--isolated", "--select=E"])
    assert run_plugin() == []
