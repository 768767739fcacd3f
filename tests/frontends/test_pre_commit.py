"""The hooks, run by the real pre-commit on a scratch repository."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_MANIFEST = Path(__file__).parents[2] / ".pre-commit-hooks.yaml"
_STORE = "async def save() -> None: ...\n"
_SERVICE = "from app.store import save\n\n\nasync def work() -> None:\n    save()\n"
_SWALLOWS = """\
import asyncio

from app.store import save


async def work() -> None:
    try:
        await save()
    except BaseException:
        print("failed")
"""


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PRE_COMMIT_HOME": str(folder.parent / "pre-commit"),
    }
    # Not those of a hook that these tests may themselves run in.
    environment = {key: text for key, text in environment.items() if not key.startswith("GIT_")}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A clean commit, with the hooks as this repository describes them.

    They use this installation and not one that pre-commit would make: that takes a network.
    """
    folder = tmp_path / "repository"
    (folder / "app").mkdir(parents=True)
    hooks = _MANIFEST.read_text().replace("language: python", "language: system")
    indented = "".join(f"      {line}\n" for line in hooks.splitlines())
    (folder / ".pre-commit-config.yaml").write_text(
        f"repos:\n  - repo: local\n    hooks:\n{indented}"
    )
    (folder / "app" / "__init__.py").touch()
    (folder / "app" / "store.py").write_text(_STORE.removeprefix("async "))
    (folder / "app" / "service.py").write_text(_SERVICE)
    (folder / "pyproject.toml").write_text(
        "[tool.logctx-lint]\nexclude = ['old']\nprofile = 'strict'\n"
    )
    for command in (["init", "-q"], ["add", "."], _commit("first")):
        assert run(folder, "git", *command).returncode == 0
    return folder


def _commit(message: str) -> list[str]:
    who = ["-c", "user.name=someone", "-c", "user.email=someone@example.org"]
    return [*who, "commit", "-q", "-m", message]


def hook(repository: Path, name: str) -> subprocess.CompletedProcess[str]:
    run(repository, "git", "add", ".")
    return run(repository, sys.executable, "-m", "pre_commit", "run", name)


def test_the_manifest_is_valid(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    done = run(folder, sys.executable, "-m", "pre_commit", "validate-manifest", str(_MANIFEST))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_changed_file_is_judged_by_what_others_say(repository: Path) -> None:
    (repository / "app" / "store.py").write_text(_STORE)
    assert hook(repository, "logctx-lint").returncode == 0  # of this file nothing is wrong
    run(repository, "git", *_commit("second"))
    with (repository / "app" / "service.py").open("a") as file:
        file.write("    print()\n")
    done = hook(repository, "logctx-lint")
    assert done.returncode == 1
    assert "app/service.py:5:5: LCX101 `save()` returns a coroutine that never runs" in done.stdout
    assert "app/store.py:1" in done.stdout


def test_the_hook_for_what_is_new_sees_callers_that_were_not_touched(repository: Path) -> None:
    (repository / "app" / "store.py").write_text(_STORE)
    done = hook(repository, "logctx-lint-new")
    assert done.returncode == 1
    assert "app/service.py:5:5: LCX101 `save()` returns a coroutine that never runs" in done.stdout
    run(repository, "git", *_commit("second"))
    (repository / "app" / "store.py").write_text(f"# A comment.\n{_STORE}")
    assert hook(repository, "logctx-lint-new").returncode == 0


def test_the_fixing_hook_fixes_and_fails_as_hooks_do(repository: Path) -> None:
    path = repository / "app" / "service.py"
    path.write_text(_SWALLOWS)
    (repository / "app" / "store.py").write_text(_STORE)
    done = hook(repository, "logctx-lint-fix")
    assert done.returncode == 1
    assert "files were modified by this hook" in done.stdout
    assert "    except asyncio.CancelledError:\n        raise\n" in path.read_text()
    assert hook(repository, "logctx-lint-fix").returncode == 0


def test_a_hook_leaves_out_what_the_project_excludes(repository: Path) -> None:
    (repository / "app" / "store.py").write_text(_STORE)
    (repository / "old").mkdir()
    (repository / "old" / "service.py").write_text(_SERVICE)
    assert hook(repository, "logctx-lint").returncode == 0
