"""Findings kept between runs: never stale, and seldom found anew."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from logctx_lint.config.vocabulary import Role
from logctx_lint.engine import findings_cache
from logctx_lint.engine.engine import Engine
from logctx_lint.incremental.store import CACHE_FOLDER
from logctx_lint.syntax.source import Source
from tests.support.edited_project import CANCELLED, CHOICES, PROJECT, UNTYPED, Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project that has been checked once."""
    found = Project(tmp_path)
    (finding,) = found.run()["pkg/main.py"]
    assert (finding.code, len(finding.fixes)) == ("LCX101", 1)
    return found


def test_nothing_is_checked_again_when_nothing_has_changed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert project.checked(monkeypatch) == set()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("base.py", "async def", "def"),
        ("base.py", "save", "store"),
        ("base.py", "class Base:", "\n\nclass Base:"),  # the message names the line
        ("store.py", "(Base)", ""),
        ("store.py", "class Store(Base):", "class Store(Base):\n    def save(self): ..."),
        ("store.py", "from pkg.base import", "from pkg.other import"),
        ("api.py", "return Store()", "return None"),
        ("api.py", "from pkg.store import", "from pkg.store import *  #"),
        ("main.py", "make_store().save()", "await make_store().save()"),
    ],
)
def test_a_file_is_checked_again_when_what_it_used_has_changed(
    project: Project, monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str
) -> None:
    project.replace(f"pkg/{file}", old, new)
    assert {file, "main.py"} <= project.checked(monkeypatch)
    assert project.checked(monkeypatch) == set()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("base.py", "...", "...\n\nasync def another(): ..."),
        ("store.py", "from pkg.base", "\n\nimport os\nfrom pkg.base"),
        ("store.py", "def unrelated(): ...", "async def unrelated(x): ..."),
        ("api.py", "    return Store()", "    return Store()\n\ndef more():\n    return 1"),
        ("api.py", "def make_store", "\n\ndef make_store"),
        ("alone.py", "x = 1", "y = 2"),
    ],
)
def test_a_file_is_left_alone_when_other_things_have_changed(
    project: Project, monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str
) -> None:
    project.replace(f"pkg/{file}", old, new)
    assert project.checked(monkeypatch) == {file}


def test_methods_that_another_module_replaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "pkg/__init__.py": "",
        "pkg/main.py": "from pkg.client import Client\n\ndef main():\n    Client().send()\n",
        "pkg/client.py": "class Client:\n    async def send(self): ...\n",
        "pkg/plain.py": (
            "import asyncio\nfrom pkg.client import Client\n\n"
            "def wrap(cls):\n"
            "    for name, method in list(vars(cls).items()):\n"
            "        setattr(cls, name, blocking(method))\n\n"
            "def blocking(method):\n"
            "    def call(*args):\n"
            "        return asyncio.run(method(*args))\n"
            "    return call\n\n"
        ),
    }
    project = Project(tmp_path, files)
    assert [each.code for each in project.run()["pkg/main.py"]] == ["LCX201"]
    project.replace("pkg/plain.py", "return call\n\n", "return call\n\nwrap(Client)\n")
    assert project.run()["pkg/main.py"] == []
    project.replace("pkg/plain.py", "import asyncio\n", "import asyncio\nimport os\n")
    assert project.checked(monkeypatch) == {"plain.py"}
    project.replace("pkg/plain.py", "asyncio.run(method(*args))", "method(*args)")
    assert [each.code for each in project.run()["pkg/main.py"]] == ["LCX201"]


def test_a_function_that_is_cancelled_elsewhere_costs_no_more_than_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path, {name: texts[0] for name, texts in CANCELLED.items()})
    assert project.run()["pkg/servlet.py"] == []
    project.replace("pkg/store.py", "import asyncio", "# A comment.\nimport asyncio\nimport os")
    assert project.checked(monkeypatch) == {"store.py"}
    project.replace("pkg/child.py", "import asyncio", "import asyncio\ndef more(): ...")
    assert project.checked(monkeypatch) == {"child.py"}
    project.write("pkg/child.py", CANCELLED["pkg/child.py"][1])
    assert "servlet.py" in project.checked(monkeypatch)
    (finding,) = project.run()["pkg/servlet.py"]
    assert finding.code == "LCX304"
    # The message names the line.
    project.replace("pkg/child.py", "import asyncio", "# A comment.\nimport asyncio")
    assert project.checked(monkeypatch) == {"child.py", "servlet.py"}


def test_a_class_that_may_be_made_over_costs_no_more_than_what_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = UNTYPED["pkg/more.py"][0]
    handler = UNTYPED["pkg/handler.py"][0]
    texts = {"pkg/__init__.py": "", "pkg/handler.py": handler, "pkg/more.py": more}
    project = Project(tmp_path, texts)
    assert len(project.run()["pkg/handler.py"]) == 1
    project.write("pkg/more.py", f"{more}x = 1\n")
    assert project.checked(monkeypatch) == {"more.py"}
    project.write("pkg/more.py", f"{more}Others = blocking(More)\n")
    assert "handler.py" in project.checked(monkeypatch)
    assert project.run()["pkg/handler.py"] == []


def test_a_module_that_was_looked_for_in_vain_is_noticed_when_it_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "from helpers import work\n\nasync def main():\n    work()\n"
    project = Project(tmp_path, {"main.py": text, "other.py": "x = 1\n"})
    assert project.run()["main.py"] == []
    project.write("another.py", "")
    assert project.checked(monkeypatch) == {"another.py"}
    project.write("helpers.py", "async def work(): ...\n")
    assert project.checked(monkeypatch) == {"helpers.py", "main.py"}
    assert len(project.run()["main.py"]) == 1


def test_a_file_of_the_project_hides_a_bundled_stub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "import asyncio\n\nasync def main():\n    asyncio.sleep(1)\n"
    project = Project(tmp_path, {"main.py": text})
    assert len(project.run()["main.py"]) == 1
    project.write("asyncio.py", "def sleep(seconds): ...\n")
    assert "main.py" in project.checked(monkeypatch)
    assert project.run()["main.py"] == []


def test_a_module_that_vanishes_is_noticed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.folder / "pkg/base.py").unlink()
    checked = project.checked(monkeypatch)
    assert "main.py" in checked
    assert "alone.py" not in checked
    assert project.run()["pkg/main.py"] == []


def test_settings_that_change_findings_are_noticed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    droppable = project.settings(vocabulary={Role.DROPPABLE: ("pkg.base.Base.save",)})
    assert "main.py" in project.checked(monkeypatch, droppable)
    assert project.checked(monkeypatch, project.settings(baseline="x")) == set()


def test_another_rule_is_another_run(project: Project) -> None:
    source = Source.read(project.folder / "pkg/main.py")
    checker = Engine(project.settings())
    assert checker.check(source, {"LCX301"}) == []
    assert len(checker.check(source, {"LCX101"})) == 1


def test_a_change_of_the_program_is_noticed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings_cache, "program", lambda _: "another")
    assert "main.py" in project.checked(monkeypatch)


def test_a_text_that_is_not_saved_counts_while_it_is_open(project: Project) -> None:
    """What the language server does."""
    checker = Engine(project.settings())
    checker.check(Source(project.folder / "pkg/base.py", "class Base: ...\n"), ())
    assert checker.check(Source.read(project.folder / "pkg/main.py"), {"LCX101"}) == []
    assert len(project.run()["pkg/main.py"]) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data[:40],
        lambda data: data.replace(b"LCX101", b"LCX102"),
        lambda data: b"\xff" * len(data),
    ],
)
def test_a_damaged_entry_is_no_answer(
    project: Project, monkeypatch: pytest.MonkeyPatch, damage: Callable[[bytes], bytes]
) -> None:
    entries = list((project.folder / CACHE_FOLDER / "results").rglob("*.json"))
    assert len(entries) == len(PROJECT)
    for entry in entries:
        entry.write_bytes(damage(entry.read_bytes()))
    assert "main.py" in project.checked(monkeypatch)


def test_a_project_can_be_moved_with_its_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "some" / "where" / "else"
    project = Project(here)
    project.run()
    shutil.copytree(here, there)
    moved = Project(there, {})
    assert moved.checked(monkeypatch) == set()
    (finding,) = moved.run()["pkg/main.py"]
    assert [each.path for each in finding.related] == [there / "pkg" / "base.py"]


def test_the_same_project_gives_the_same_bytes_elsewhere(tmp_path: Path) -> None:
    caches = []
    for name in ("one", "two"):
        Project(tmp_path / name).run()
        folder = tmp_path / name / CACHE_FOLDER
        caches.append(
            {
                path.relative_to(folder): path.read_bytes()
                for path in folder.rglob("*.json")
                # Times of change are each machine's own.
                if path.relative_to(folder).parts[0] != "index"
            }
        )
    assert caches[0] == caches[1]
    assert len([path for path in caches[0] if path.parts[0] == "results"]) == len(PROJECT)


@pytest.mark.parametrize("choices", [CHOICES, UNTYPED, CANCELLED])
@pytest.mark.parametrize("seed", range(6))
def test_no_history_of_edits_gives_a_stale_finding(
    tmp_path: Path,
    seed: int,
    choices: Mapping[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    choose = random.Random(seed)
    project = Project(tmp_path)
    for _ in range(25):
        name = choose.choice(list(choices))
        if choose.random() < 0.15:
            (tmp_path / name).unlink(missing_ok=True)
        else:
            project.write(name, choose.choice(choices[name]))
        project.checked(monkeypatch)
