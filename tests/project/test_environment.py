"""The project's installed packages: where they are looked for, and what is read of them."""

from __future__ import annotations

from pathlib import Path

from logctx_lint.config.settings import Settings
from logctx_lint.engine.engine import Engine
from logctx_lint.project.environment import find_environment
from logctx_lint.syntax.source import Source

PACKAGES = "lib/python3.11/site-packages"
CODE = """
from remote.session import Session
from typed import Client


async def tell(session: Session, client: Client) -> None:
    session.publish("a")
    client.send()
    client.close()
"""


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_the_environment_in_the_project_is_found_first(tmp_path: Path) -> None:
    _write(tmp_path, {f".venv/{PACKAGES}/a.py": "", f"other/{PACKAGES}/a.py": ""})
    variables = {"VIRTUAL_ENV": str(tmp_path / "other")}
    found = find_environment("auto", tmp_path, variables)
    assert found.folders == (tmp_path / ".venv" / PACKAGES,)
    assert "lies in the project" in found.reason


def test_else_the_active_one_and_then_that_of_the_interpreter(tmp_path: Path) -> None:
    _write(tmp_path, {f"other/{PACKAGES}/a.py": "", f"own/{PACKAGES}/a.py": ""})
    project, own = tmp_path / "project", str(tmp_path / "own")
    variables = {"VIRTUAL_ENV": str(tmp_path / "other")}
    assert "$VIRTUAL_ENV" in find_environment("auto", project, variables, own).reason
    assert find_environment("auto", project, {}, own).folders == (tmp_path / "own" / PACKAGES,)


def test_the_environment_of_a_tool_is_not_the_project_s(tmp_path: Path) -> None:
    _write(tmp_path, {f"pipx/venvs/lint/{PACKAGES}/a.py": ""})
    found = find_environment("auto", tmp_path / "p", {}, str(tmp_path / "pipx/venvs/lint"))
    assert found.folders == ()
    assert "tool" in found.reason


def test_none_and_a_path_are_taken_as_said(tmp_path: Path) -> None:
    _write(tmp_path, {f".venv/{PACKAGES}/a.py": "", f"env/{PACKAGES}/a.py": ""})
    assert find_environment("none", tmp_path, {}).folders == ()
    assert find_environment("env", tmp_path, {}).folders == (tmp_path / "env" / PACKAGES,)


def _codes(root: Path, environment: str) -> list[tuple[int, str]]:
    engine = Engine(Settings(root=root, environment=environment), use_cache=False)
    found = engine.check(Source.read(root / "app.py"), ["LCX101"])
    return [(each.span.line, each.code) for each in found]


def test_what_installed_packages_give_is_known(tmp_path: Path) -> None:
    session = "class Session:\n    async def publish(self, topic): ...\n"
    client = "class Client:\n    async def send(self): ...\n    def close(self): ...\n"
    files = {
        "app.py": CODE,
        f".venv/{PACKAGES}/remote/__init__.py": "",
        f".venv/{PACKAGES}/remote/session.py": session,
        f".venv/{PACKAGES}/typed/__init__.py": "class Client:\n    send = None\n",
        f".venv/{PACKAGES}/typed-stubs/__init__.pyi": client,
    }
    _write(tmp_path, files)
    assert _codes(tmp_path, "none") == []
    assert _codes(tmp_path, "auto") == [(7, "LCX101"), (8, "LCX101")]
