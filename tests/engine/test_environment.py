"""Findings that come from what is installed beside a project."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from logctx_lint.config.settings import Settings
from logctx_lint.engine import run_cache
from logctx_lint.engine.engine import Engine
from logctx_lint.engine.runner import Task, run
from logctx_lint.findings import Profile
from logctx_lint.syntax.source import Source
from tests.support.projects import write

INSTALLED = {
    # Typed, and behind a re-export.
    "typed/__init__.py": "from .client import Client as Client\nfrom typed._sync import *\n",
    "typed/py.typed": "",
    "typed/_sync.py": "def plain(name: str) -> str: ...\n",
    "typed/client.py": """
        from collections.abc import Awaitable
        from .base import Base

        class Client(Base):
            async def publish(self, name: str) -> None: ...
            def later(
                self, name: str = "a:", *, sizes: tuple[int, ...] = (1, 2)
            ) -> "Awaitable[None]":
                return self.publish(name)
            def close(self) -> None: ...
    """,
    "typed/base.py": """
        class Base:
            async def subscribe(self) -> None: ...
    """,
    # Untyped.
    "untyped.py": """
        import asyncio

        class Session:
            def send(self, text):
                return self._write(text)
            async def _write(self, text):
                return text
            def size(self):
                return 1

        def connect():
            return Session()
    """,
    # The source says nothing, the stubs do.
    "stubbed/__init__.py": "from stubbed.native import Box\n",
    "stubbed-stubs/__init__.pyi": "class Box:\n    async def seal(self) -> None: ...\n",
    # A stub beside the source.
    "beside/__init__.py": "from ._c import build\n",
    "beside/__init__.pyi": "async def build() -> None: ...\n",
    # Several distributions share the name of a namespace.
    "space/cloud/__init__.py": "async def transfer(): ...\n",
    "space/disk.py": "async def flush(): ...\n",
    # One inherits from the other's class.
    "extended/__init__.py": "from typed import Client\n\nclass Extended(Client):\n    pass\n",
    "typed-1.0.dist-info/METADATA": "",
}  # fmt: skip

MAIN = """
    import space.cloud
    import untyped
    from beside import build
    from extended import Extended
    from space.disk import flush
    from stubbed import Box
    from typed import Client, plain


    async def main(client: Client) -> None:
        client.publish("a")
        client.later("a")
        client.subscribe()
        client.close()
        plain("a")
        session = untyped.connect()
        session.send("a")
        session.size()
        Box().seal()
        build()
        space.cloud.transfer()
        flush()
        Extended().publish("b")
        await client.publish("a")
"""
DROPPED = [
    "client.publish", "client.later", "client.subscribe", "session.send", "Box().seal", "build",
    "space.cloud.transfer", "flush", "Extended().publish",
]  # fmt: skip


class Project:
    """A project and what is installed beside it."""

    def __init__(self, folder: Path, files: Mapping[str, str], main: str) -> None:
        self.packages = folder / "env" / "lib" / "python3.12" / "site-packages"
        self.root = folder / "project"
        write(self.packages, files)
        write(self.root, {"main.py": main})
        self.settings = Settings(
            root=self.root, environment=str(folder / "env"), profile=Profile.STRICT
        )

    def dropped(self, settings: Settings | None = None, *, use_cache: bool = False) -> list[str]:
        """The calls whose awaitables are dropped, according to an engine of its own."""
        engine = Engine(settings or self.settings, use_cache=use_cache)
        source = Source.read(self.root / "main.py")
        findings = engine.check(source, {"LCX101"})
        return [each.message.split("`")[1].removesuffix("()") for each in findings]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, INSTALLED, MAIN)


def test_what_installed_packages_give_is_known(project: Project) -> None:
    assert project.dropped() == DROPPED


@pytest.mark.parametrize("environment", ["none", "auto", "missing"])
def test_without_an_environment_nothing_is_known(project: Project, environment: str) -> None:
    assert project.dropped(replace(project.settings, environment=environment)) == []


def test_first_party_modules_come_first_and_then_bundled_stubs(tmp_path: Path) -> None:
    files = {
        "mine.py": "def go(): ...\n",
        "asyncio/__init__.py": "def sleep(delay): ...\n",
        "twisted/internet/task.py": "def deferLater(*args): ...\n",
    }
    main = """
        import asyncio
        from mine import go
        from twisted.internet.task import deferLater

        async def main(reactor) -> None:
            go()
            asyncio.sleep(1)
            deferLater(reactor, 1)
    """
    project = Project(tmp_path, files, main)
    write(project.root, {"mine.py": "async def go(): ...\n"})
    assert project.dropped() == ["go", "asyncio.sleep", "deferLater"]


def test_findings_are_in_the_projects_files_alone(project: Project) -> None:
    write(project.packages, {"typed/base.py": "async def f(): ...\nasync def g():\n    f()\n"})
    paths = sorted(project.root.rglob("*.py"))
    assert {each.path for each in run(Task(project.settings, use_cache=False), paths)} == set(paths)


@pytest.mark.parametrize("is_run", [False, True])
@pytest.mark.parametrize(
    ("files", "gone"),
    [
        ({"typed/client.py": "class Client:\n    def publish(self, name): ...\n"}, "publish"),
        ({"stubbed-stubs/__init__.pyi": "class Box:\n    def seal(self) -> None: ...\n"}, "seal"),
        ({"space/disk.py": "def flush(): ...\n"}, "flush"),
    ],
)
def test_a_changed_package_changes_findings(
    project: Project,
    files: Mapping[str, str],
    gone: str,
    is_run: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_cache, "_FEW", 1)

    def dropped() -> list[str]:
        if not is_run:
            return project.dropped(use_cache=True)
        outcomes = run(Task(project.settings), [project.root / "main.py"])
        return [
            each.message.split("`")[1].removesuffix("()")
            for outcome in outcomes
            for each in outcome.findings
            if each.code == "LCX101"
        ]

    before = {name: (project.packages / name).read_text() for name in files}
    assert dropped() == DROPPED
    assert dropped() == DROPPED
    write(project.packages, files)
    after = dropped()
    assert not any(name.endswith(gone) for name in after)
    assert after == project.dropped()
    write(project.packages, before)
    assert dropped() == DROPPED


def test_a_package_that_comes_or_goes_changes_findings(project: Project) -> None:
    assert "flush" in project.dropped(use_cache=True)
    (project.packages / "space" / "disk.py").rename(project.packages / "disk.py")
    assert "flush" not in project.dropped(use_cache=True)
    (project.packages / "disk.py").rename(project.packages / "space" / "disk.py")
    assert "flush" in project.dropped(use_cache=True)


def test_a_method_that_becomes_asynchronous_is_noticed(project: Project) -> None:
    """Its name was ruled out before."""
    assert project.dropped(use_cache=True) == DROPPED
    path = project.packages / "typed" / "client.py"
    path.write_text(path.read_text().replace("def close", "async def close"))
    assert "client.close" in project.dropped(use_cache=True)


def test_another_environment_has_findings_of_its_own(project: Project) -> None:
    none = replace(project.settings, environment="none")
    for _ in range(2):
        assert project.dropped(use_cache=True) == DROPPED
        assert project.dropped(none, use_cache=True) == []


def test_what_cannot_be_read_is_passed_over(project: Project) -> None:
    (project.packages / "typed" / "base.py").write_bytes(b"\xff\0class (")
    (project.packages / "untyped.py").unlink()
    os.mkfifo(project.packages / "untyped.py")
    os.symlink(".", project.packages / "typed" / "again")
    os.symlink("circle.py", project.packages / "typed" / "circle.py")
    expected = [name for name in DROPPED if name not in ("client.subscribe", "session.send")]
    assert project.dropped() == expected
