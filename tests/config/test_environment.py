"""Which environment a project has, and the folders that imports of its modules start from."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from logctx_lint.config import environment
from logctx_lint.config.environment import (
    Environment,
    distributions,
    found_environment,
    import_folders,
    is_of_tool,
)

PYTHON = f"python{sys.version_info[0]}.{sys.version_info[1]}"


def make(path: Path, python: str = PYTHON) -> Path:
    """An environment; gives the folder in which distributions are installed."""
    packages = path / "lib" / python / "site-packages"
    packages.mkdir(parents=True)
    return packages


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(environment, "_VARIABLES", ("VIRTUAL_ENV", "CONDA_PREFIX"))
    found = tmp_path / "project"
    found.mkdir()
    return found


def found(root: Path, prefix: Path | None = None, **variables: Path) -> Environment:
    texts = {name: str(path) for name, path in variables.items()}
    return found_environment("auto", root, texts, str(prefix or root / "nowhere"))


def test_that_in_the_root_beats_variables_and_these_the_interpreter(root: Path) -> None:
    virtual, conda, prefix = (root.parent / name for name in ("virtual", "conda", "prefix"))
    for each in (virtual, conda, prefix, root / "venv", root / ".venv"):
        make(each)
    given = {"VIRTUAL_ENV": virtual, "CONDA_PREFIX": conda}
    assert found(root, prefix, **given).path == str(root / ".venv")
    (root / ".venv").rename(root / "other")
    assert found(root, prefix, **given).path == str(root / "venv")
    (root / "venv").rename(root / "another")
    assert found(root, prefix, **given) == Environment(str(virtual), "$VIRTUAL_ENV")
    assert found(root, prefix, CONDA_PREFIX=conda) == Environment(str(conda), "$CONDA_PREFIX")
    assert found(root, prefix).path == str(prefix)
    assert not found(root).is_there


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/home/me/.cache/pre-commit/repo1a2b/py_env-python3.12", True),
        ("/somewhere/else/repo1a2b/py_env-python3", True),
        ("/home/me/.local/share/pipx/venvs/flake8", True),
        ("/home/me/.local/pipx/venvs/logctx-lint", True),
        ("/home/me/.local/share/uv/tools/logctx-lint", True),
        ("/home/me/.cache/uv/archive-v0/Qx1", True),
        ("/home/me/src/pipx/.venv", False),
        ("/home/me/src/pre-commit/venv", False),
        ("/home/me/src/uv/.venv", False),
        ("/opt/venv", False),
    ],
)
def test_environments_of_hooks_and_tools_are_recognised(path: str, expected: bool) -> None:
    assert is_of_tool(path) is expected


@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_the_environment_of_a_hook_is_not_taken(root: Path, variable: str) -> None:
    hook = root.parent / "pre-commit" / "repo12" / "py_env-python3"
    make(hook)
    environment = found(root, hook, **{variable: hook})
    assert environment.path == "none"
    assert "an environment of its own" in environment.why


def test_a_path_is_taken_as_said(root: Path) -> None:
    packages = make(root / "env")
    (packages / "a-1.dist-info").mkdir()
    (packages / "b.egg-info").touch()
    for said in ("env", str(packages)):
        environment = found_environment(said, root)
        assert environment == Environment(str(root / said), "as set")
        folders = import_folders(environment.path, root)
        assert folders == (packages,)
        assert distributions(folders) == 2
    assert found_environment("none", root) == Environment("none", "as set")


def test_of_several_versions_the_running_one_counts_and_else_the_latest(root: Path) -> None:
    make(root / "env", "python3.2")
    latest = make(root / "env", "python3.99")
    assert import_folders("env", root) == (latest,)
    running = make(root / "env")
    assert import_folders("env", root) == (running,)


def test_the_layout_of_windows(root: Path) -> None:
    packages = root / "env" / "Lib" / "site-packages"
    packages.mkdir(parents=True)
    assert import_folders("env", root) == (packages,)


def test_plain_lines_of_pth_files_are_followed(root: Path) -> None:
    packages = make(root / ".venv")
    neighbour = root.parent / "neighbour"
    for folder in (neighbour, root / "src", packages / "inside"):
        folder.mkdir()
    lines = [
        "# a comment", "import os; os.abort()", str(neighbour), str(root / "src"), "missing",
        str(root.parent), "/",
    ]  # fmt: skip
    (packages / "a.pth").write_text("\n".join(lines))
    assert import_folders(".venv", root) == (packages, neighbour)


@pytest.mark.parametrize("text", [b"\0", b"\xff\xfe\n", b"x" * 100_000, b"\n" * 50_000])
def test_a_strange_pth_file_is_left_out(root: Path, text: bytes) -> None:
    packages = make(root / ".venv")
    (packages / "a.pth").write_bytes(text)
    assert import_folders(".venv", root) == (packages,)


def test_links_in_a_circle_and_files_in_place_of_folders(root: Path) -> None:
    (root / ".venv").symlink_to(root / ".venv")
    (root / "venv").touch()
    assert found(root).path == "none"


def test_whoever_works_in_site_packages_has_no_project_beside_it(root: Path) -> None:
    packages = make(root / "env")
    package = packages / "package"
    package.mkdir()
    assert import_folders(str(root / "env"), package) == ()


def test_settings_that_were_made_by_hand_mean_none(root: Path) -> None:
    make(root / ".venv")
    assert import_folders("auto", root) == ()
