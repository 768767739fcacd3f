"""The processes that share a command's work, however Python starts them."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from logctx_lint import processes
from logctx_lint.processes import _break_off, _method

_RUNNER = """
import multiprocessing, sys
from logctx_lint.engine import runner
from logctx_lint.frontends.cli import main
from logctx_lint.project import index_workers
if __name__ == "__main__":
    # Processes are worth it for few files, too.
    runner._SOON = -1.0
    runner._CHUNK = 1
    index_workers._FEWEST = 1
    multiprocessing.set_start_method(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
"""
_STORE = "async def save(): ...\n"
_DROP = "from app.store import save\n\n\nasync def drop():\n    save()\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A package with a finding in each of some files."""
    package = tmp_path / "project" / "app"
    package.mkdir(parents=True)
    package.joinpath("__init__.py").touch()
    package.joinpath("store.py").write_text(_STORE)
    for number in range(5):
        package.joinpath(f"drop{number}.py").write_text(_DROP)
    return package.parent


def check(project: Path, method: str, *arguments: str) -> list[str]:
    """The findings of a run whose processes are started by one method."""
    script = project.parent / "runner.py"
    script.write_text(_RUNNER)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    run = subprocess.run(
        [sys.executable, str(script), method, "check", "-q", "--no-cache", *arguments],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.stderr == ""
    return run.stdout.splitlines()


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_that_are_not_forked_find_the_same(project: Path, method: str) -> None:
    if sys.platform == "win32" and method == "forkserver":
        pytest.skip("Windows can only spawn")
    alone = check(project, "spawn", "--jobs=1", ".")
    assert len(alone) == 5
    assert check(project, method, "--jobs=2", ".") == alone


@pytest.mark.skipif(sys.version_info < (3, 11), reason="PYTHONSAFEPATH came with Python 3.11")
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_no_process_imports_what_stands_in_the_project(project: Path, method: str) -> None:
    if sys.platform == "win32" and method == "forkserver":
        pytest.skip("Windows can only spawn")
    harm = project.parent / "harm"
    for name in ("json", "selectors", "struct", "libcst", "sitecustomize"):
        project.joinpath(f"{name}.py").write_text(f"open({str(harm)!r}, 'w').close()\n")
    assert len(check(project, method, "--jobs=2", ".")) == 5
    assert not harm.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="about Linux")
def test_on_linux_processes_are_forked_unless_somebody_chooses() -> None:
    assert _method(None) == "fork"
    assert _method("spawn") == "spawn"


_INTERRUPTED = """
import os, signal
from logctx_lint.processes import pool

signal.signal(signal.SIGINT, signal.default_int_handler)  # In the background it is ignored.

def start():
    pass

def interrupt(number):
    # As a terminal does, which knows of no difference between the processes.
    os.killpg(0, signal.SIGINT)
    return bytes(1_000_000)

try:
    with pool(2, start, ()) as workers:
        for _ in workers.imap(interrupt, range(100)):
            pass
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="about process groups")
def test_an_interruption_ends_all_processes_quietly(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(_INTERRUPTED)
    run = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        start_new_session=True,
    )
    assert (run.stdout, run.stderr) == ("interrupted\n", "")


def test_nobody_waits_for_the_rest_of_a_result_whose_process_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "_PATIENCE", 0.01)
    never = threading.Event()
    with multiprocessing.Pool(1) as made:
        monkeypatch.setattr(made, "terminate", never.wait)
        _break_off(made)
        monkeypatch.undo()
    never.set()
