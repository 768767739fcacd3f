"""Findings kept between runs: never stale, and seldom found anew."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from logctx_lint import results, screen, visiting
from logctx_lint.codes import active_codes
from logctx_lint.engine import CACHE_FOLDER, Engine
from logctx_lint.findings import Finding
from logctx_lint.settings import Framework, Settings
from logctx_lint.source import Source
from logctx_lint.vocabulary import Role

PROJECT = {
    "pkg/__init__.py": "",
    "pkg/main.py": """
        from pkg.api import make_store

        async def handle():
            make_store().save()
    """,
    "pkg/api.py": """
        from pkg.store import Store

        def make_store():
            return Store()
    """,
    "pkg/store.py": """
        from pkg.base import Base

        class Store(Base):
            def load(self) -> int: ...

        def unrelated(): ...
    """,
    "pkg/base.py": """
        class Base:
            async def save(self) -> None: ...
    """,
    "pkg/alone.py": "x = 1\n",
}


class Project:
    """Files on disk, and runs over them, each as a new process would do it."""

    def __init__(self, folder: Path, files: Mapping[str, str] = PROJECT) -> None:
        self.folder = folder
        for name, text in files.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), "utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text("utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def run(
        self, settings: Settings | None = None, *, use_cache: bool = True
    ) -> dict[str, list[Finding]]:
        checker = Engine(settings or self.settings(), use_cache=use_cache)
        codes = active_codes(()) | {"LCX000"}
        return {
            path.relative_to(self.folder).as_posix(): checker.check(Source.read(path), codes)
            for path in sorted(self.folder.rglob("*.py"))
        }

    def settings(self, **chosen: object) -> Settings:
        given = {"framework": Framework.ASYNCIO, **chosen}
        return Settings(root=self.folder, **given)  # type: ignore[arg-type]

    def checked(
        self, monkeypatch: pytest.MonkeyPatch, settings: Settings | None = None
    ) -> set[str]:
        """The files that a run looks into. Its findings must be those of a run without cache."""
        expected = self.run(settings, use_cache=False)
        seen = set()
        real = screen.units

        def watched(file: object, tree: object) -> object:
            seen.add(file.source.path.name)  # type: ignore[attr-defined]
            return real(file, tree)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(visiting, "units", watched)
            assert self.run(settings) == expected
        return seen


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project that has been checked once."""
    found = Project(tmp_path)
    (finding,) = found.run()["pkg/main.py"]
    assert (finding.code, len(finding.fixes)) == ("LCX101", 2)
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
        ("base.py", "...", "return None  # for now"),
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
    monkeypatch.setattr(results, "program", lambda _: "another")
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
    assert Project(there, {}).checked(monkeypatch) == set()


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


CHOICES = {
    "pkg/base.py": [
        "class Base:\n    async def save(self): ...\n",
        "class Base:\n    def save(self): ...\n",
        "# A comment.\nclass Base:\n    async def save(self): ...\n",
        "class Base: ...\n",
        "def (\n",
    ],
    "pkg/store.py": [
        "from pkg.base import Base\nclass Store(Base): ...\n",
        "from pkg.base import *\nclass Store(Base): ...\n",
        "from pkg import base\nclass Store(base.Base):\n    x = 1\n",
        "class Store:\n    async def save(self): ...\n",
        "class Store:\n    def __init__(self):\n        self.save = work\nasync def work(): ...\n",
    ],
    "pkg/api.py": [
        "from pkg.store import Store\ndef make_store():\n    return Store()\n",
        "from pkg.store import Store\ndef make_store() -> Store: ...\n",
        "from pkg.store import Store as S\nstore = S()\ndef make_store():\n    return store\n",
        "from pkg.more import make_store\n",
        "import pkg.store\ndef make_store():\n    x = 1\n    return pkg.store.Store()\n",
    ],
    "pkg/more.py": [
        "from pkg.store import Store\ndef make_store(): return Store()\n",
        "from pkg.api import make_store\n",
        "def make_store(): ...\n",
    ],
}


# What others say of code without annotations, which does not import them.
UNTYPED = {
    "pkg/handler.py": [
        "class Handler:\n    def __init__(self, store):\n        self.store = store\n"
        "    async def run(self):\n        self.store.save()\n        self.store.save_all()\n",
        "class Handler:\n    store = None\n"
        "    async def run(self):\n        self.store.save()\n        self.store.save_all()\n",
    ],
    "pkg/app.py": [
        "from pkg.handler import Handler\nfrom pkg.store import Store\n"
        "def make():\n    return Handler(Store())\n",
        "from pkg.handler import Handler\nfrom pkg.store import Store\n"
        "def other(): ...\ndef make():\n    return Handler(1)\n"
        "def again():\n    return Handler(Store())\n",
        "from pkg.handler import Handler\nfrom pkg.store import Store\n"
        "def make():\n    handler = Handler(None)\n    handler.store = Store()\n",
        "from pkg.store import Store\ndef make():\n    Handler(Store())\n",
    ],
    "pkg/child.py": [
        "from pkg.handler import Handler\nfrom pkg.store import Store\n"
        "class Child(Handler): ...\ndef make():\n    Child(Store())\n",
        "from pkg.handler import Handler\nfrom pkg.store import Store\n"
        "class Child(Handler):\n    def __init__(self):\n        super().__init__(Store())\n",
    ],
    "pkg/store.py": [
        "class Store:\n    async def save(self): ...\n    async def save_all(self): ...\n",
        "class Store:\n    def save(self): ...\n    def save_all(self): return 1\n",
        "class Store:\n    async def save(self): ...\n",
    ],
    "pkg/more.py": [
        "class More:\n    async def save_all(self): ...\n",
        "class More:\n    def save_all(self): return 1\n",
        "class More:\n    save_all = None\n",
        "",
    ],
}


@pytest.mark.parametrize("choices", [CHOICES, UNTYPED])
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
