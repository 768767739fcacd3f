"""`--changed-since`: what is new since a revision, wherever it stands; with the real git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from logctx_lint.config.codes import CODES
from logctx_lint.config.settings import Settings
from logctx_lint.engine import runner
from logctx_lint.engine.linter import Linter
from logctx_lint.frontends.cli import main
from logctx_lint.reporting import revisions
from tests.support.fakes import FakeEngine

REAL_LINTER = runner.linter


def git(*arguments: str) -> None:
    who = ["-c", "user.name=someone", "-c", "user.email=someone@example.org"]
    subprocess.run(["git", *who, *arguments], check=True, capture_output=True)


def commit() -> None:
    git("add", "--all")
    git("commit", "--quiet", "--message=x")


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A branch that left `main`, which went on; in `sub` below the top."""

    def linter(settings: Settings, *, use_cache: bool, jobs: int = 1) -> Linter:
        return Linter(FakeEngine(), settings, CODES)

    monkeypatch.setattr(runner, "linter", linter)
    monkeypatch.chdir(tmp_path)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    git("init", "--quiet", "--initial-branch=main")
    Path("sub").mkdir()
    monkeypatch.chdir("sub")
    Path("old.py").write_text("drop()\nx = 1\ny = 2\n")
    Path("ä b.py").write_text("drop()\n")
    Path("same.py").write_text("drop()\n")
    commit()
    git("branch", "work")
    Path("same.py").write_text("drop()\ndrop()\n")
    commit()
    git("checkout", "--quiet", "work")


def found(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """FILE:LINE of what is reported."""
    capsys.readouterr()
    main(["check", "-q", "--changed-since=main", *arguments])
    out, error = capsys.readouterr()
    assert error == ""
    return [":".join(line.split(":")[:2]) for line in out.splitlines()]


def test_nothing_changed_is_nothing_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert found(capsys) == []


def test_what_is_new_counts_wherever_lines_have_moved(capsys: pytest.CaptureFixture[str]) -> None:
    Path("old.py").write_text("x = 1\ndrop()\ndrop()\ny = 2\nswallow()\n")
    Path("ä b.py").write_text("drop()\n++ drop()\n--- drop()\ndrop()\n")
    commit()
    assert found(capsys) == ["old.py:3", "old.py:5", "ä b.py:4"]
    assert found(capsys, "old.py") == ["old.py:3", "old.py:5"]


def test_findings_of_the_revision_are_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("old.py").write_text("drop()\ndrop()\n")
    assert found(capsys) == ["old.py:2"]
    monkeypatch.setattr(revisions.Base, "_checked", None)
    assert found(capsys) == ["old.py:2"]


def test_what_is_not_committed_counts(capsys: pytest.CaptureFixture[str]) -> None:
    Path("old.py").write_text("drop()\nx = 1\ndrop()\n")
    Path("new.py").write_text("drop()\n")
    assert found(capsys) == ["new.py:1", "old.py:3"]


def test_before_the_first_commit_everything_is_new(capsys: pytest.CaptureFixture[str]) -> None:
    git("checkout", "--quiet", "--orphan", "another")
    assert main(["check", "-q", "--changed-since=HEAD"]) == 1
    out, error = capsys.readouterr()
    assert (len(out.splitlines()), error) == (3, "")


def test_a_removed_file_is_no_matter(capsys: pytest.CaptureFixture[str]) -> None:
    Path("old.py").unlink()
    assert found(capsys) == []


def test_removed_lines_change_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    Path("old.py").write_text("drop()\n")
    assert found(capsys) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--changed-since=nowhere"], '--changed-since: git knows no revision "nowhere"'),
        (["--changed-since=--help"], '--changed-since: git knows no revision "--help"'),
        (
            ["--changed-since=main", "--fix"],
            "--changed-since chooses what is reported, not what is fixed",
        ),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["check", *arguments]) == 2
    assert capsys.readouterr() == ("", f"logctx-lint: error: {message}\n")


def test_a_folder_that_is_no_repository_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("outside"))
    Path("x.py").touch()
    assert main(["check", "--changed-since=main"]) == 2
    error = capsys.readouterr().err
    assert "not a git repository" in error
    assert error.count("\n") == 1


def test_the_untouched_caller_of_a_function_made_async_is_reported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "linter", REAL_LINTER)
    Path("store.py").write_text("def save() -> None: ...\n")
    Path("main.py").write_text(
        "from store import save\n\n\nasync def handle() -> None:\n    save()\n"
    )
    commit()
    git("branch", "--force", "main", "HEAD")
    Path("store.py").write_text("async def save() -> None: ...\n")
    assert found(capsys) == ["main.py:5"]
