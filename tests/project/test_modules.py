"""Finding modules by following imports on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from logctx_lint.project.facts_cache import FactsCache
from logctx_lint.project.files import STUBS
from logctx_lint.project.module_names import module_name
from logctx_lint.project.modules import Modules
from logctx_lint.syntax.source import Source, Unreadable
from tests.support.projects import Project, write


@pytest.mark.parametrize(
    ("path", "root", "name"),
    [
        ("alone.py", ".", "alone"),
        ("pkg/__init__.py", ".", "pkg"),
        ("pkg/a.py", ".", "pkg.a"),
        ("pkg/sub/b.py", ".", "pkg.sub.b"),
        ("src/deep/__init__.py", "src", "deep"),
        ("src/deep/c.py", "src", "deep.c"),
        ("pkg/plain/d.py", ".", "pkg.plain.d"),
        ("scripts/e.py", "scripts", "e"),
    ],
)
def test_a_module_is_named_from_the_folder_above_its_packages(
    tmp_path: Path, path: str, root: str, name: str
) -> None:
    packages = ("pkg", "pkg/sub", "src/deep")
    write(tmp_path, {path: "", **{f"{folder}/__init__.py": "" for folder in packages}})
    assert module_name(tmp_path / path) == (tmp_path / root, name)


@pytest.mark.parametrize(
    ("path", "imported", "absolute"),
    [
        ("pkg/sub/a.py", ".b", "pkg.sub.b"),
        ("pkg/sub/a.py", ".", "pkg.sub"),
        ("pkg/sub/a.py", "..b", "pkg.b"),
        ("pkg/sub/a.py", "..", "pkg"),
        ("pkg/sub/__init__.py", ".b", "pkg.sub.b"),
        ("pkg/sub/__init__.py", ".", "pkg.sub"),
        ("pkg/sub/__init__.py", "..b", "pkg.b"),
        ("pkg/sub/a.py", "other.b", "other.b"),
    ],
)
def test_relative_imports_count_from_the_module(
    tmp_path: Path, path: str, imported: str, absolute: str
) -> None:
    project = Project(tmp_path, {"pkg/__init__.py": "", "pkg/sub/__init__.py": "", path: ""})
    module = project.modules.of_source(Source.read(tmp_path / path))
    assert module.absolute(imported) == absolute


def test_first_party_source_wins_over_a_stub(tmp_path: Path) -> None:
    project = Project(tmp_path, {"treq.py": "mine = 1\n"})
    found = project.find("treq")
    assert found
    assert found.path == tmp_path / "treq.py"


def test_a_stub_stands_for_what_the_project_has_not(tmp_path: Path) -> None:
    found = Project(tmp_path).find("treq")
    assert found
    assert found.is_stub


def test_stubs_do_not_see_the_project(tmp_path: Path) -> None:
    project = Project(tmp_path, {"typing.py": "mine = 1\n"})
    found = project.modules.find("typing", STUBS)
    assert found
    assert found.is_stub


def test_the_src_layout_is_searched(tmp_path: Path) -> None:
    project = Project(tmp_path, {"src/pkg/__init__.py": "", "src/pkg/a.py": "x = 1\n"})
    found = project.modules.find("pkg.a", tmp_path / "tests")
    assert found
    assert found.path == tmp_path / "src/pkg/a.py"


def test_a_package_wins_over_a_module_beside_it(tmp_path: Path) -> None:
    project = Project(tmp_path, {"a/__init__.py": "", "a.py": ""})
    found = project.find("a")
    assert found
    assert found.is_package


def test_a_module_that_is_not_written_in_python_is_known_by_its_stub(tmp_path: Path) -> None:
    paths = ["pkg/native/__init__.pyi", "pkg/native/http.pyi", "pkg/both.py"]
    project = Project(tmp_path, dict.fromkeys([*paths, "pkg/__init__.py", "pkg/both.pyi"], ""))
    found = map(project.find, ("pkg.native", "pkg.native.http", "pkg.both"))
    assert [each and each.path.relative_to(tmp_path).as_posix() for each in found] == paths


def test_a_folder_without_init_is_a_package_of_its_modules(tmp_path: Path) -> None:
    project = Project(tmp_path, {"pkg/__init__.py": "", "pkg/plain/a.py": "x = 1\n"})
    folder, module = project.find("pkg.plain"), project.find("pkg.plain.a")
    assert folder
    assert folder.is_package
    assert module
    assert "x" in module.facts.variables


@pytest.mark.parametrize("name", ["missing", "pkg.missing", "pkg.a.b", "not-a.name", "..", "pkg."])
def test_what_is_nowhere_is_not_found(tmp_path: Path, name: str) -> None:
    assert Project(tmp_path, {"pkg/__init__.py": "", "pkg/a.py": ""}).find(name) is None


def test_a_module_that_cannot_be_parsed_says_nothing(tmp_path: Path) -> None:
    found = Project(tmp_path, {"broken.py": "def (:\n"}).find("broken")
    assert found
    assert not any(found.facts)


def test_a_linted_file_that_cannot_be_parsed_says_why(tmp_path: Path) -> None:
    source = Source(tmp_path / "broken.py", "x = (\n")
    with pytest.raises(Unreadable, match="cannot be parsed"):
        Modules((), FactsCache(None)).of_source(source).file.learn()


def test_the_text_being_linted_wins_over_the_file(tmp_path: Path) -> None:
    project = Project(tmp_path, {"a.py": "old = 1\n"})
    project.modules.of_source(Source(tmp_path / "a.py", "new = 1\n"))
    found = project.find("a")
    assert found
    assert list(found.facts.variables) == ["new"]


def test_a_function_is_parsed_alone_with_its_own_line_numbers(tmp_path: Path) -> None:
    text = """
    class C:
        x = 1

        @decorator
        def f(self):
            return 1
    """
    project = Project(tmp_path, {"a.py": text})
    module = project.find("a")
    assert module
    node = module.parse_function(module.facts.classes["C"].functions["f"][0])
    assert node
    assert (node.name, node.lineno, node.body[0].lineno, node.body[0].col_offset) == ("f", 6, 7, 8)


def test_a_function_whose_file_has_vanished_has_no_tree(tmp_path: Path) -> None:
    project = Project(tmp_path, {"a.py": "def f(): pass\n", "b.py": ""})
    module, other = project.find("a"), project.find("b")
    assert module
    assert other
    function = module.facts.functions["f"][0]
    assert other.facts.functions == {}  # Of the last file the tree is known still.
    (tmp_path / "a.py").unlink()
    assert module.parse_function(function) is None


def beside(folder: Path, name: str) -> list[str]:
    """The files that count when it is asked what kind of code base a file belongs to."""
    tree = Modules((), FactsCache(None)).beside(folder / name)
    files = {
        each for word in ("one", "two", "three", "four") for each in tree.files("functions", word)
    }
    return sorted(Path(path).relative_to(folder).as_posix() for path in files)


def test_the_files_of_a_package_are_those_of_the_outermost(tmp_path: Path) -> None:
    files = {
        "pkg/__init__.py": "def one(): ...",
        "pkg/sub/__init__.py": "def two(): ...",
        "pkg/sub/a.py": "def three(): ...",
        "b.py": "def four(): ...",
    }
    write(tmp_path, files)
    (tmp_path / "pkg/sub/circle").symlink_to(tmp_path / "pkg")
    assert beside(tmp_path, "pkg/sub/a.py") == [
        "pkg/__init__.py",
        "pkg/sub/__init__.py",
        "pkg/sub/a.py",
    ]


def test_the_files_beside_a_lone_module_are_its_package(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"a.py": "def one(): ...", "b.py": "def two(): ...", "pkg/__init__.py": "def three(): ..."},
    )
    assert beside(tmp_path, "a.py") == ["a.py", "b.py"]
