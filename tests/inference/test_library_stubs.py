"""The bundled stubs of libraries: what they may hold, and when they are asked."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from logctx_lint.config.loading import load
from logctx_lint.engine.engine import Engine
from logctx_lint.project.files import LIBRARY_STUBS
from logctx_lint.syntax.source import Source
from tests.inference.test_stubs import (
    MODULES,
    SPECIAL_FORMS,
    TYPING,
    Definition,
    Function,
    bound_names,
    parse,
)
from tests.support.projects import Project, write

FILES = sorted(LIBRARY_STUBS.rglob("*.pyi"))
BESIDES = {"fastapi": {"starlette"}}
"""The libraries that one is built on, and hands on."""


def module_name(path: Path) -> str:
    parts = path.relative_to(LIBRARY_STUBS).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


OF_LIBRARIES = {module_name(path): path for path in FILES}
ALL = MODULES | OF_LIBRARIES


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_only_declares(path: Path) -> None:
    """Nothing but imports, annotations, aliases, and bodies of `...`; no relative imports."""
    for node in ast.walk(parse(path)):
        if isinstance(node, Function):
            assert [ast.unparse(item) for item in node.body] == ["..."], node.name
            assert node.returns is not None, node.name
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
    names = [node.name for node in parse(path).body if isinstance(node, Definition)]
    assert len(names) == len(set(names)), "defined twice"


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_names_are_those_of_its_library_and_mean_something(path: Path) -> None:
    library = path.relative_to(LIBRARY_STUBS).parts[0]
    allowed = {library, *BESIDES.get(library, ())}
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            assert all(alias.name.partition(".")[0] in allowed for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.module in ALL
            assert node.module in MODULES or node.module.partition(".")[0] in allowed
            for alias in node.names:
                is_special = node.module in TYPING and alias.name in SPECIAL_FORMS
                is_module = f"{node.module}.{alias.name}" in ALL
                assert is_special or is_module or alias.name in bound_names(ALL[node.module])
    known = bound_names(path) | bound_names(MODULES["builtins"])
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            assert node.id in known, node.id


def test_a_library_that_is_not_installed_is_known_from_its_stub(tmp_path: Path) -> None:
    found = Project(tmp_path).find("playwright.async_api")
    assert found
    assert found.is_partial


@pytest.mark.parametrize("own", ["nats.py", "nats/__init__.py"])
def test_the_projects_own_module_wins_over_the_stub_of_a_library(tmp_path: Path, own: str) -> None:
    project = Project(tmp_path, {own: "async def connect(): ...\n"})
    found = project.find("nats")
    assert found
    assert not found.is_stub
    assert project.find("nats.aio.client") is None


BOT = """
    from discord.ext import commands

    async def start(bot: commands.Bot) -> None:
        bot.load_extension("dice")
        bot.add_listener(print)
        bot.walk.through().unheard_of()
"""


def findings(root: Path) -> list[str]:
    """What is found in `main.py`, with all settings that are loaded there, and the cache."""
    engine = Engine(load(root))
    found = engine.check(Source.read(root / "main.py"), {"LCX101", "LCX102", "LCX103", "LCX201"})
    return [each.code for each in found]


def test_what_a_stub_leaves_out_is_unknown(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": BOT})
    assert findings(tmp_path) == ["LCX101"]


def test_an_installed_library_says_what_holds(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": BOT})
    assert findings(tmp_path) == ["LCX101"]
    commands = "venv/lib/python3.12/site-packages/discord/ext/commands/__init__.py"
    write(tmp_path, {commands: "class Bot:\n    def load_extension(self, name): ...\n"})
    assert findings(tmp_path) == []


def test_requirements_may_say_that_a_library_is_another(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": BOT})
    assert findings(tmp_path) == ["LCX101"]
    write(tmp_path, {"requirements.txt": "py-cord\n"})
    assert findings(tmp_path) == []
