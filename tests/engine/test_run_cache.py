"""Whole runs kept between runs: what they report is what a run without cache reports."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from logctx_lint.config.settings import Framework, Settings
from logctx_lint.engine import run_cache
from logctx_lint.engine.engine import Engine
from logctx_lint.engine.runner import Mode, Task, run
from logctx_lint.findings import Finding, Profile
from logctx_lint.incremental.store import CACHE_FOLDER
from logctx_lint.syntax.source import Source
from tests.support.edited_project import CANCELLED, CHOICES, UNTYPED, Project


@pytest.fixture(autouse=True)
def small_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_cache, "_FEW", 1)


class Runs:
    """A project that is checked by whole runs, and which files each of them looked up."""

    def __init__(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        self.project = project
        self.looked_up: list[str] = []
        real = Engine.check

        def watched(engine: Engine, source: Source, *arguments: object) -> list[Finding]:
            self.looked_up.append(source.path.name)
            return real(engine, source, *arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(Engine, "check", watched)

    def reported(self, settings: Settings | None = None, **task: object) -> Mapping[str, list[str]]:
        """What is reported for each file; the run is held against one without cache."""
        settings = settings or self.project.settings()
        paths = sorted(self.project.folder.rglob("*.py"))
        without = [each.findings for each in run(Task(settings, use_cache=False), paths)]
        self.looked_up.clear()
        outcomes = list(run(Task(settings, **task), paths))  # type: ignore[arg-type]
        assert [each.path for each in outcomes] == paths
        assert [each.findings for each in outcomes] == without
        assert all(each.source for each in outcomes if each.findings)
        return {each.path.name: [found.code for found in each.findings] for each in outcomes}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    """A project that has been checked once."""
    found = Runs(Project(tmp_path), monkeypatch)
    assert found.reported()["main.py"] == ["LCX101"]
    assert len(found.looked_up) == 6
    return found


def test_nothing_is_looked_up_when_nothing_has_changed(project: Runs) -> None:
    project.reported()
    assert project.looked_up == []


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("base.py", "async def", "def", {"base.py", "main.py"}),
        # The bodies of functions that are called are looked into for their summaries.
        ("base.py", "...", "return None  # for now", {"base.py", "main.py"}),
        ("store.py", "def unrelated(): ...", "def unrelated(x): ...", {"store.py"}),
        ("alone.py", "x = 1", "import twisted", None),
        ("main.py", "save()", "save()  # noqa: LCX101", {"main.py"}),
        ("alone.py", "x = 1", "x = 1  # noqa: LCX301", {"alone.py"}),
    ],
)
def test_only_what_may_have_changed_is_looked_up(
    project: Runs, name: str, old: str, new: str, expected: set[str] | None
) -> None:
    project.project.replace(f"pkg/{name}", old, new)
    project.reported()
    assert expected is None or set(project.looked_up) == expected
    project.reported()
    assert project.looked_up == []


def test_files_that_come_and_go_are_noticed(project: Runs) -> None:
    project.project.write("pkg/more.py", "from pkg.api import make_store\nmake_store().save()\n")
    project.reported()
    assert project.looked_up == ["more.py"]
    (project.project.folder / "pkg/base.py").unlink()
    assert project.reported()["main.py"] == []
    (project.project.folder / "pkg/__init__.py").unlink()
    project.reported()
    project.reported()
    assert project.looked_up == []


def test_settings_that_choose_among_findings_are_noticed(project: Runs) -> None:
    settings = project.project.settings
    assert project.reported(settings(ignore=("LCX1",)))["main.py"] == []
    assert (
        project.reported(settings(per_file_ignores={"pkg/main.py": ("LCX101",)}))["main.py"] == []
    )
    absolute = str(project.project.folder / "pkg" / "main.py")
    assert project.reported(settings(per_file_ignores={absolute: ("LCX101",)}))["main.py"] == []
    assert project.reported()["main.py"] == ["LCX101"]
    assert project.looked_up == []


def test_detected_traits_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catching = "async def f(g):\n    try:\n        await g()\n    except Exception:\n        pass\n"
    project = Runs(Project(tmp_path, {"a/__init__.py": "", "a/x.py": catching}), monkeypatch)
    settings = Settings(root=tmp_path, profile=Profile.STRICT)
    assert project.reported(settings)["x.py"] == []
    project.project.write("a/y.py", "import twisted\n")
    assert project.reported(settings)["x.py"] == ["LCX301"]


def test_fixing_looks_up_what_has_findings(project: Runs) -> None:
    settings = project.project.settings()
    paths = sorted(project.project.folder.rglob("*.py"))
    project.looked_up.clear()
    outcomes = list(run(Task(settings, Mode.FIX, unsafe=True), paths))
    assert set(project.looked_up) == {"main.py"}
    assert sum(each.fixed for each in outcomes) == 1
    assert project.reported()["main.py"] == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data.replace(b"LCX101", b"LCX102"),
        lambda data: b"\xff" * len(data),
    ],
)
def test_a_damaged_entry_is_no_answer(project: Runs, damage: Callable[[bytes], bytes]) -> None:
    (entry,) = (project.project.folder / CACHE_FOLDER / "runs").rglob("*.json")
    entry.write_bytes(damage(entry.read_bytes()))
    assert project.reported()["main.py"] == ["LCX101"]
    assert len(project.looked_up) == 6
    project.reported()
    assert project.looked_up == []


def test_a_project_can_be_moved_with_its_cache(
    project: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "some" / "where" / "else"
    shutil.copytree(tmp_path, there)
    moved = Runs(Project(there, {}), monkeypatch)
    assert moved.reported()["main.py"] == ["LCX101"]
    assert moved.looked_up == []


@pytest.mark.parametrize("choices", [CHOICES, UNTYPED, CANCELLED])
@pytest.mark.parametrize("seed", range(6))
def test_no_history_of_edits_gives_a_stale_report(
    tmp_path: Path,
    seed: int,
    choices: Mapping[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    choose = random.Random(seed)
    project = Runs(Project(tmp_path), monkeypatch)
    settings = Settings(root=tmp_path, framework=choose.choice([None, Framework.TWISTED]))
    for _ in range(25):
        name = choose.choice(list(choices))
        if choose.random() < 0.15:
            (tmp_path / name).unlink(missing_ok=True)
        else:
            project.project.write(name, choose.choice(choices[name]))
        project.reported(settings)
        if choose.random() < 0.3:
            project.reported(settings)
            assert project.looked_up == []
