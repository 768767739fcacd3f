"""Which files a run looks at."""

from __future__ import annotations

from pathlib import Path

import pytest

from logctx_lint.engine.file_discovery import python_files


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def files(*paths: str, exclude: tuple[str, ...] = ()) -> list[str]:
    found = python_files([Path(path) for path in paths or (".",)], exclude, Path.cwd())
    return [path.as_posix() for path in found]


def test_folders_are_walked_in_order(tree: Path) -> None:
    touch("b.py", "a/z.py", "a/b/y.py", "a.py", "notes.txt", "stub.pyi")
    assert files() == ["a.py", "b.py", "a/z.py", "a/b/y.py"]


@pytest.mark.parametrize(
    "name", [".git", ".tox", "__pycache__", "node_modules", "build", "lib/site-packages"]
)
def test_folders_that_hold_nobodys_source_are_left_out(tree: Path, name: str) -> None:
    touch(f"{name}/x.py", "y.py")
    assert files() == ["y.py"]


def test_a_virtual_environment_of_any_name_is_left_out(tree: Path) -> None:
    touch("env311/pyvenv.cfg", "env311/lib/x.py", "y.py")
    assert files() == ["y.py"]


def test_a_package_called_build_is_source(tree: Path) -> None:
    touch("build/__init__.py")
    assert files() == ["build/__init__.py"]


def test_excluded_files_and_folders_are_left_out(tree: Path) -> None:
    touch("a/x.py", "b/x.py", "b/old_y.py", "c/d/x.py", "c/e/x.py")
    assert files(exclude=("a", "old_*.py", "c/d")) == ["b/x.py", "c/e/x.py"]


def test_what_is_named_outright_is_always_in(tree: Path) -> None:
    touch(".hidden/x.py", "a/x.py", "script")
    assert files(".hidden", "a/x.py", "script", exclude=("a",)) == [
        ".hidden/x.py",
        "a/x.py",
        "script",
    ]


def test_a_file_named_twice_comes_once(tree: Path) -> None:
    touch("a/x.py", "a/y.py")
    assert files("a/y.py", "a", "./a/x.py") == ["a/y.py", "a/x.py"]


def test_links_in_a_circle_and_links_to_nothing_end(tree: Path) -> None:
    touch("a/x.py")
    Path("a/loop").symlink_to(tree / "a")
    Path("a/gone.py").symlink_to(tree / "nowhere.py")
    Path("a/self.py").symlink_to(tree / "a" / "self.py")
    assert files() == ["a/x.py"]


def test_names_with_spaces_newlines_and_other_alphabets_are_found(tree: Path) -> None:
    touch("a b.py", "a\nb.py", "ä/日.py")
    assert files() == ["a\nb.py", "a b.py", "ä/日.py"]


def test_a_path_that_is_not_there_is_an_error(tree: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        files("nowhere")


@pytest.mark.parametrize("pattern", ["old", "old/*", "x.py", "old/x.py"])
def test_what_is_named_is_excluded_only_by_force(tmp_path: Path, pattern: str) -> None:
    path = tmp_path / "old" / "x.py"
    path.parent.mkdir()
    path.touch()
    assert list(python_files([path], [pattern], tmp_path)) == [path]
    assert list(python_files([path], [pattern], tmp_path, force_exclude=True)) == []
    assert list(python_files([path], ["other"], tmp_path, force_exclude=True)) == [path]
