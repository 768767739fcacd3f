"""`logctx-lint runtime copy`: the runtime as a package of the project's own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from logctx_lint import runtime
from logctx_lint.config import loading
from logctx_lint.config.role_lookup import Vocabulary
from logctx_lint.config.runtime_copies import MARK, find_copies
from logctx_lint.config.vocabulary import BUILT_IN, Role
from logctx_lint.errors import UserError
from logctx_lint.frontends import runtime_copy
from logctx_lint.frontends.cli import main

RUNTIME = Path(runtime.__file__).parent


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a package `app` below `src`."""
    (tmp_path / "pyproject.toml").write_text("[tool.logctx-lint]\n")
    (tmp_path / "src" / "app").mkdir(parents=True)
    (tmp_path / "src" / "app" / "__init__.py").write_text("")
    return tmp_path


def isolated(project: Path, program: str) -> str:
    """The output of a program that sees the project and the standard library, and no linter."""
    nothing_else = "import sys; sys.path[:] = [p for p in sys.path if 'site-packages' not in p]; "
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"{nothing_else}sys.path.insert(0, 'src')\n{program}"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("half", [None, "asyncio", "twisted"])
def test_copy_works_with_nothing_else_installed(project: Path, half: str | None) -> None:
    runtime_copy.write(project / "src" / "app" / "logctx", half)
    program = (
        "import asyncio, sys\n"
        "from app.logctx import LoggingContext, configure, current_context, tasks\n"
        "from app.logctx import *\n"
        "configure(storage='contextvar')\n"
        "async def work(): return str(current_context())\n"
        "async def main():\n"
        "    with LoggingContext('request'):\n"
        "        print(await tasks.run_in_background(work))\n"
        "asyncio.run(main())\n"
        "print(sorted({'logctx_lint', 'twisted', 'libcst'} & set(sys.modules)))\n"
    )
    assert isolated(project, program) == "request\n[]\n"


def test_files_of_a_copy(project: Path) -> None:
    folder = project / "src" / "app" / "logctx"
    runtime_copy.write(folder)
    names = {path.name for path in folder.iterdir()}
    assert names == {path.name for path in RUNTIME.glob("*.py")} | {"py.typed", MARK}
    for path in folder.glob("*.py"):
        text = path.read_text()
        assert text.startswith("# Copied from logctx-lint ")
        assert "SPDX-License-Identifier: Apache-2.0" in text
        assert "import logctx_lint" not in text.replace("from logctx_lint.runtime import", "")
        assert "logctx-lint[" not in text
    assert json.loads((folder / MARK).read_text())["version"]


def test_half_of_a_copy(project: Path) -> None:
    folder = project / "src" / "app" / "logctx"
    runtime_copy.write(folder)
    runtime_copy.write(folder, "asyncio")
    assert not (folder / "deferreds.py").exists()
    assert not (folder / "web.py").exists()
    assert "run_as_background_process" not in (folder / "__init__.py").read_text()
    assert runtime_copy.compare(folder).is_same
    runtime_copy.write(folder, "twisted")
    assert (folder / "deferreds.py").exists()
    assert not (folder / "asgi.py").exists()


def test_copy_is_typed(project: Path) -> None:
    pytest.importorskip("mypy")
    for half in (None, "asyncio"):
        runtime_copy.write(project / "src" / "app" / "logctx", half)
        command = [sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports"]
        done = subprocess.run(
            [*command, "--cache-dir", str(project / ".mypy"), "-p", "app.logctx"],
            cwd=project / "src",
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout


def test_command_writes_and_checks(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    assert main(["runtime", "copy", "src/app/logctx", "--only", "asyncio"]) == 0
    assert main(["runtime", "copy", "src/app/logctx", "--check"]) == 0
    assert capsys.readouterr().out.endswith("up to date\n")

    storage = project / "src" / "app" / "logctx" / "storage.py"
    storage.write_text(storage.read_text() + "# mine\n")
    (project / "src" / "app" / "logctx" / "locks.py").unlink()
    assert main(["runtime", "copy", "src/app/logctx", "--check"]) == 1
    told = capsys.readouterr().err
    assert "storage.py: changed" in told
    assert "locks.py: missing" in told

    assert main(["runtime", "copy", "src/app/logctx"]) == 0
    assert runtime_copy.half_of(storage.parent) == "asyncio"
    assert main(["runtime", "copy", "src/app/logctx", "--check"]) == 0


def test_copy_of_another_version_is_behind(project: Path) -> None:
    folder = project / "src" / "app" / "logctx"
    runtime_copy.write(folder)
    mark = json.loads((folder / MARK).read_text())
    old = "# as it was once\n"
    (folder / "usage.py").write_text(old)
    mark["version"] = "0.0.1"
    mark["files"]["usage.py"] = runtime_copy._digest(old)
    (folder / MARK).write_text(json.dumps(mark))
    found = runtime_copy.compare(folder)
    assert (found.behind, found.changed, found.is_same) == ("0.0.1", (), False)


def test_folder_of_somebody_else_s_is_left_alone(project: Path) -> None:
    with pytest.raises(UserError, match="is not a copy of the runtime"):
        runtime_copy.write(project / "src" / "app")
    with pytest.raises(UserError, match="is not a copy of the runtime"):
        runtime_copy.compare(project / "src" / "app")


# --- The linter knows it


def test_folder_that_cannot_be_written_is_the_user_s_error(project: Path) -> None:
    (project / "file").touch()
    for folder in (project / "file" / "copy", project / ("9" * 5_000)):
        with pytest.raises(UserError, match="cannot be written"):
            runtime_copy.write(folder)


def test_copies_are_found_by_their_mark(project: Path) -> None:
    runtime_copy.write(project / "src" / "app" / "logctx")
    assert find_copies(project) == ("app.logctx",)
    assert loading.load(project).runtime == ("app.logctx",)
    (project / "pyproject.toml").write_text("[tool.logctx-lint]\nruntime = ['other.place']\n")
    assert loading.load(project).runtime == ("other.place",)


def test_a_copy_is_found_in_a_folder_that_is_no_package(tmp_path: Path) -> None:
    runtime_copy.write(tmp_path / "app" / "logctx")
    runtime_copy.write(tmp_path / "src" / "own")
    assert find_copies(tmp_path) == ("app.logctx", "logctx", "own")


def test_names_of_a_copy_have_the_roles_of_the_original() -> None:
    original, copied = Vocabulary({}), Vocabulary({}, ("app.logctx",))
    for role in Role:
        for name in BUILT_IN.get(role, ()):
            if name.startswith("logctx_lint.runtime."):
                name = name.replace("*", "somewhere")
                ours = name.replace("logctx_lint.runtime", "app.logctx")
                assert copied.roles([ours]) == original.roles([name])
                assert not original.roles([ours]) & {Role.BACKGROUND_STARTER}
    assert copied.runtime_of("app.logctx.context.LoggingContext") == "app.logctx"
    assert copied.runtime_of("app.logctx_other.x") is None


PROGRAM = """\
from twisted.internet.defer import Deferred

async def work() -> None: ...

def sleep() -> "Deferred[None]":
    return Deferred()

async def handle() -> None:
    work()
    await sleep()
"""


def test_findings_and_fixes_name_the_project_s_own_import(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    runtime_copy.write(project / "src" / "app" / "logctx")
    module = project / "src" / "app" / "handlers.py"
    module.write_text(PROGRAM)
    main(["check", "--fix", "--unsafe-fixes", "src/app/handlers.py", "--select=LCX201,LCX105"])
    text = module.read_text()
    assert "logctx_lint" not in text, text
    assert "from app.logctx import" in text, (text, capsys.readouterr())


def test_guard_of_the_copy_for_contexts_of_the_copy(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    runtime_copy.write(project / "src" / "app" / "logctx")
    module = project / "src" / "app" / "twice.py"
    module.write_text(
        "from app.logctx import LoggingContext\n\n"
        "def main() -> None:\n"
        "    task = LoggingContext('task')\n"
        "    with task:\n"
        "        pass\n"
        "    with task:\n"
        "        pass\n"
    )
    main(["check", "--fix", "src/app/twice.py", "--select=LCX401"])
    text = module.read_text()
    assert "with PreserveLoggingContext(task):" in text
    assert "from app.logctx import LoggingContext, PreserveLoggingContext" in text
