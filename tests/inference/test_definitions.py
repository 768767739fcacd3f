"""Following imports and re-exports to what defines a name."""

from __future__ import annotations

from pathlib import Path

from tests.support.projects import Project, types

PACKAGE = {
    "pkg/__init__.py": "from .api import fetch as get\nfrom . import tools\n",
    "pkg/api.py": "async def fetch() -> int: ...\n",
    "pkg/tools.py": "async def mend() -> str: ...\n",
}


def revealed(folder: Path, text: str, **files: str) -> list[str]:
    project = Project(
        folder,
        {**PACKAGE, **{name.replace("__", "/") + ".py": each for name, each in files.items()}},
    )
    (folder / "main.py").write_text(text)
    return project.types("main.py")


def test_a_re_export_leads_to_the_function(tmp_path: Path) -> None:
    text = "import pkg\nfrom pkg import get\nreveal(get())\nreveal(pkg.get())\n"
    assert revealed(tmp_path, text) == ["Coroutine[?, ?, int]"] * 2


def test_every_name_on_the_way_is_a_name_of_the_function(tmp_path: Path) -> None:
    project = Project(tmp_path, {**PACKAGE, "main.py": "from pkg import get as g\nreveal(g)\n"})
    assert project.names("main.py") == [("main.g", "pkg.get", "pkg.api.fetch")]


def test_a_submodule_imported_by_its_package_is_a_module(tmp_path: Path) -> None:
    text = "import pkg\nimport pkg.api\nreveal(pkg.tools.mend())\nreveal(pkg.api)\n"
    assert revealed(tmp_path, text) == ["Coroutine[?, ?, str]", "module pkg.api"]


def test_a_package_imports_its_own_submodule(tmp_path: Path) -> None:
    project = Project(
        tmp_path,
        {
            "pkg/__init__.py": """
                from . import one
                from pkg import two as two
                from .three import three
                reveal(one.f())
                reveal(two.f())
                reveal(three())
            """,
            "pkg/one.py": "def f() -> int: ...\n",
            "pkg/two.py": "def f() -> str: ...\n",
            "pkg/three.py": "def three() -> bytes: ...\n",
        },
    )
    assert project.types("pkg/__init__.py") == ["int", "str", "bytes"]


def test_relative_imports_of_each_level(tmp_path: Path) -> None:
    files = {
        f"{folder}__init__.py": f"def f() -> {result}: ...\n"
        for folder, result in (("a/", "int"), ("a/b/", "str"), ("a/b/c/", "bytes"))
    }
    text = "\n".join(
        f"from {dots} import f as f{len(dots)}\nreveal(f{len(dots)}())"
        for dots in (".", "..", "...")
    )
    project = Project(tmp_path, {**files, "a/b/c/main.py": text})
    assert project.types("a/b/c/main.py") == ["bytes", "str", "int"]


def test_star_imports_bring_names(tmp_path: Path) -> None:
    text = "from pkg.api import *\nfrom pkg.tools import *\nreveal(fetch())\nreveal(mend())\n"
    assert revealed(tmp_path, text) == ["Coroutine[?, ?, int]", "Coroutine[?, ?, str]"]


def test_a_cycle_of_star_imports_ends(tmp_path: Path) -> None:
    files = {"a": "from b import *\n", "b": "from a import *\ndef f() -> int: ...\n"}
    text = "from a import f, g\nreveal(f())\nreveal(g)\n"
    assert types(tmp_path, text, **files) == ["int", "External a.g"]


def test_modules_that_import_each_other_know_each_other(tmp_path: Path) -> None:
    files = {
        "a": "from b import B\nclass A:\n    def b(self) -> B: ...\n",
        "b": "from a import A\nclass B:\n    def a(self) -> A: ...\n",
    }
    assert types(tmp_path, "from a import A\nreveal(A().b().a().b())\n", **files) == ["B"]


def test_imports_under_type_checking_count(tmp_path: Path) -> None:
    text = """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from server import Server
        def f(server: "Server"):
            reveal(server)
    """
    assert types(tmp_path, text, server="class Server: ...\n") == ["Server"]


def test_of_alternative_imports_the_known_one_counts(tmp_path: Path) -> None:
    text = """
        try:
            from missing import f
        except ImportError:
            from fallback import f
        reveal(f())
    """
    assert types(tmp_path, text, fallback="def f() -> int: ...\n") == ["int"]


def test_what_is_not_found_keeps_its_name(tmp_path: Path) -> None:
    text = "import lib.sub\nfrom lib import f as g\nreveal(g)\nreveal(lib.sub.h)\n"
    assert types(tmp_path, text) == ["External lib.f", "External lib.sub.h"]


def test_imports_inside_functions_count(tmp_path: Path) -> None:
    text = "def f():\n    from pkg import get\n    reveal(get())\n"
    assert revealed(tmp_path, text) == ["Coroutine[?, ?, int]"]


def test_a_name_defined_twice_is_either(tmp_path: Path) -> None:
    text = """
        if X:
            async def f() -> int: ...
        else:
            def f() -> str: ...
        reveal(f())
    """
    assert types(tmp_path, text) == ["Coroutine[?, ?, int] | str"]
