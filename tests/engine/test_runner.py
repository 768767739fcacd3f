"""A run over real files with the real engine, in one process and in several."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from logctx_lint.config.settings import Settings
from logctx_lint.engine import runner
from logctx_lint.engine.runner import Mode, Outcome, Task, run

_EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Enough copies of the sample for two workers, among them a file that is not text."""
    monkeypatch.setattr(runner, "_SOON", 0)
    monkeypatch.chdir(tmp_path)
    for number in range(10):
        shutil.copytree(_EXAMPLES / "mailer", tmp_path / f"p{number}" / "mailer")
    Path("p5", "mailer", "broken.py").write_bytes(b"\xff")
    return sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.py"))


def outcomes(files: list[Path], mode: Mode, jobs: int) -> list[Outcome]:
    task = Task(Settings(root=Path.cwd()), mode, unsafe=True, use_cache=False)
    return list(run(task, files, jobs))


@pytest.mark.parametrize("mode", [Mode.CHECK, Mode.DIFF])
def test_many_processes_give_what_one_gives_in_its_order(files: list[Path], mode: Mode) -> None:
    alone = outcomes(files, mode, jobs=1)
    assert [each.path for each in alone] == files
    assert {found.code for each in alone for found in each.findings} >= {"LCX000", "LCX101"}
    assert outcomes(files, mode, jobs=2) == alone


def test_many_processes_fix_what_one_fixes(files: list[Path]) -> None:
    before = {path: path.read_bytes() for path in files}
    alone = outcomes(files, Mode.FIX, jobs=1)
    fixed = {path: path.read_bytes() for path in files}
    for path, data in before.items():
        path.write_bytes(data)
    assert outcomes(files, Mode.FIX, jobs=2) == alone
    assert {path: path.read_bytes() for path in files} == fixed != before


def test_fixing_removes_what_a_killed_run_has_left(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stop)
        patch.setattr(os, "unlink", stop)
        with pytest.raises(_Killed):
            outcomes(files, Mode.FIX, jobs=1)
    [left] = Path.cwd().rglob("*.logctx-lint")
    outcomes(files, Mode.FIX, jobs=1)
    assert left.exists()  # another run may still be at it
    os.utime(left, (0, 0))
    outcomes(files, Mode.CHECK, jobs=1)
    assert left.exists()
    outcomes(files, Mode.FIX, jobs=1)
    assert not left.exists()


class _Killed(BaseException):
    """Nothing after it is done."""
