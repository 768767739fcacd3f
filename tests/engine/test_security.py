"""What docs/security.md promises about repositories that mean harm."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from logctx_lint.frontends.cli import main
from logctx_lint.incremental.store import CACHE_FOLDER

_BUG = "async def g(): ...\n\n\nasync def f():\n    g()\n"
_SCRIPTS = Path(sys.executable).parent


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a finding, and nothing else yet."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    folder.joinpath("pyproject.toml").write_text("[tool.logctx-lint]\n")
    folder.joinpath("bug.py").write_text(_BUG)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A folder beside the repository, in which nothing may appear."""
    folder = tmp_path / "outside"
    folder.mkdir()
    yield folder
    assert list(folder.iterdir()) == []


def _run(command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command as it is installed: unlike `python -m`, it does not look for modules here."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    if command == "flake8" and multiprocessing.get_start_method() != "fork":
        # What docs/security.md advises: flake8's processes look for modules here otherwise.
        environment["PYTHONSAFEPATH"] = "1"
    return subprocess.run(
        [str(_SCRIPTS / command), *arguments],
        capture_output=True,
        check=False,
        env=environment,
        text=True,
    )


@pytest.mark.parametrize(
    "command", [("logctx-lint", "check", "."), ("flake8", "--isolated", "--select=LCX", ".")]
)
def test_no_code_of_a_linted_project_is_run(
    hostile: Path, outside: Path, command: tuple[str, ...]
) -> None:
    harm = f"open({str(outside / 'harm')!r}, 'w').close()\n"
    for name in ("json", "libcst", "ast", "sitecustomize", "conftest", "setup", "logctx_lint"):
        hostile.joinpath(f"{name}.py").write_text(harm)
    hostile.joinpath("bug.py").write_text(f"import json, libcst, setup\n{harm}{_BUG}")
    done = _run(*command)
    assert "bug.py:7:5: LCX101" in done.stdout, done
    assert done.stderr == ""


def test_git_runs_nothing_that_a_repository_names(
    hostile: Path, outside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=someone", "-c", "user.email=someone@example.org"]
        subprocess.run(["git", *who, *arguments], check=True, capture_output=True)

    hostile.joinpath(".gitattributes").write_text("*.py diff=harm\n")
    git("init", "--quiet", "--initial-branch=main")
    git("add", "--all")
    git("commit", "--quiet", "--message=x")
    hostile.joinpath("bug.py").write_text(_BUG + "\n\nx = 1\n")
    touch = f"touch {outside / 'harm'};"
    for key in ("core.fsmonitor", "diff.external", "diff.harm.textconv", "diff.harm.command"):
        git("config", key, touch)
    assert main(["check", "--changed-since=main", "--no-cache"]) == 0
    assert "1 file checked" in capsys.readouterr().out


def test_the_cache_does_not_lead_out_of_the_project(hostile: Path, outside: Path) -> None:
    hostile.joinpath(CACHE_FOLDER).symlink_to(outside)
    assert main(["check", "."]) == 1


@pytest.mark.parametrize("link", ["facts", "results"])
def test_no_part_of_the_cache_leads_out_of_the_project(
    hostile: Path, outside: Path, link: str
) -> None:
    hostile.joinpath(CACHE_FOLDER).mkdir()
    hostile.joinpath(CACHE_FOLDER, link).symlink_to(outside)
    assert main(["check", "."]) == 1


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a": ' * 100_000, "\0", "1" * 5_000])
def test_whatever_stands_in_the_cache_the_findings_are_the_same(
    hostile: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from logctx_lint.incremental import store

    assert main(["check", "."]) == 1
    expected = capsys.readouterr().out
    for entry in hostile.joinpath(CACHE_FOLDER).rglob("*.json"):
        body = content.encode()
        entry.write_bytes(store._checksum(str(entry), body) + b"\n" + body)
    assert main(["check", "."]) == 1
    assert capsys.readouterr().out == expected


def test_a_baseline_is_not_written_outside_the_project(
    hostile: Path, outside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile.joinpath("pyproject.toml").write_text(
        f"[tool.logctx-lint]\nbaseline = {json.dumps(str(outside / 'harm'))}\n"
    )
    assert main(["baseline", "write"]) == 2
    assert "lies outside the project" in capsys.readouterr().err


def test_a_baseline_is_not_written_through_a_link_out_of_the_project(
    hostile: Path, outside: Path
) -> None:
    hostile.joinpath("logctx-baseline.json").symlink_to(outside / "harm")
    assert main(["baseline", "write"]) == 2


def test_fixes_are_not_written_through_a_link_out_of_the_project(
    hostile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "target.py"
    target.write_text(_BUG)
    hostile.joinpath("link.py").symlink_to(target)
    main(["check", "--fix", "--unsafe-fixes", "link.py"])
    assert target.read_text() == _BUG
    assert "a symbolic link that leads out of the project" in capsys.readouterr().err


def test_literals_are_never_calculated(hostile: Path) -> None:
    hostile.joinpath("bug.py").write_text(
        f"x = 10 ** 10 ** 10\ny = 'a' * 10 ** 12\nz = [0] * 10 ** 12\n{_BUG}"
    )
    assert main(["check", "."]) == 1


@pytest.mark.parametrize("glob", ["*a" * 30 + "b", "[" * 1_000, "**/" * 200 + "x"])
def test_no_glob_in_the_settings_takes_for_ever(hostile: Path, glob: str) -> None:
    hostile.joinpath("pyproject.toml").write_text(
        f"[tool.logctx-lint]\nexclude = ['{glob}']\nper-file-ignores = {{ '{glob}' = ['LCX9'] }}\n"
        f"[tool.logctx-lint.vocabulary]\ngatherer = ['{glob}']\n".replace("LCX9", "LCX3")
    )
    hostile.joinpath("a" * 200 + ".py").write_text(_BUG)
    assert main(["check", "."]) == 1


def test_nothing_behind_a_link_is_removed_as_an_unused_entry(hostile: Path, tmp_path: Path) -> None:
    precious = tmp_path / "home" / "notes" / "ab" / "old.json"
    precious.parent.mkdir(parents=True)
    precious.write_text("{}")
    os.utime(precious, (0, 0))
    hostile.joinpath(CACHE_FOLDER).mkdir()
    hostile.joinpath(CACHE_FOLDER, "facts").symlink_to(tmp_path / "home" / "notes")
    assert main(["check", "."]) == 1
    hostile.joinpath(CACHE_FOLDER, "facts").unlink()
    hostile.joinpath(CACHE_FOLDER, "looked-after").unlink()
    hostile.joinpath(CACHE_FOLDER, "facts").mkdir()
    hostile.joinpath(CACHE_FOLDER, "facts", "ab").symlink_to(precious.parent)
    assert main(["check", "."]) == 1
    assert precious.exists()
