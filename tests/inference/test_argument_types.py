"""What code without annotations is given, as far as the rest of its package says."""

from __future__ import annotations

from pathlib import Path

import pytest

from logctx_lint.inference.resolver import Resolver
from tests.support.projects import Project, types

STORE = """
class Store:
    async def save(self): ...
    async def load(self): ...
"""


@pytest.mark.parametrize(
    "text",
    [
        # A constructor's argument.
        """
        class Handler:
            def __init__(self, store):
                self.store = store
            def run(self):
                reveal(self.store)
        def main():
            Handler(Store())
        """,
        # By keyword.
        """
        class Handler:
            def __init__(self, store=None):
                self.store = store
            def run(self):
                reveal(self.store)
        def main():
            Handler(store=Store())
        """,
        # Its creator gives itself.
        """
        class Handler:
            def __init__(self, app):
                self.app = app
            def run(self):
                reveal(self.app.store)
        class App:
            def __init__(self):
                self.store = Store()
                self.handler = Handler(self)
        """,
        # Passed on by a subclass.
        """
        class Base:
            def __init__(self, store):
                self.store = store
            def run(self):
                reveal(self.store)
        class Handler(Base):
            def __init__(self, store, name):
                super().__init__(store)
        def main():
            Handler(Store(), "x")
        """,
        # The subclass is called.
        """
        class Base:
            def __init__(self, store):
                self.store = store
            def run(self):
                reveal(self.store)
        class Handler(Base):
            pass
        def main():
            Handler(Store())
        """,
        # A function.
        """
        def run(store):
            reveal(store)
        def main():
            run(Store())
        """,
        # A method of a known object, and one that overrides it.
        """
        class Base:
            def run(self, store): ...
        class Handler(Base):
            def run(self, store):
                reveal(store)
        def main(handler: Base):
            handler.run(Store())
        """,
        # From a nested function and a lambda.
        """
        def run(store):
            reveal(store)
        def main():
            def later():
                mine = Store()
                return lambda: run(mine)
        """,
        # Set by somebody else.
        """
        class Handler:
            store = None
            def run(self):
                reveal(self.store)
        def main():
            handler = Handler()
            handler.store = Store()
        """,
        # Set by somebody else, and nowhere declared.
        """
        class Handler:
            def run(self):
                reveal(self.store)
        class App:
            def __init__(self):
                self.handler = Handler()
                self.handler.store = Store()
        """,
    ],
)
def test_it_is_what_is_passed_or_set_elsewhere(tmp_path: Path, text: str) -> None:
    (found,) = types(tmp_path, STORE.replace("\n", "\n        ") + text)
    assert found == "Store | ?"


def test_what_is_given_is_one_possibility_among_others(tmp_path: Path) -> None:
    text = """
        class Store: ...
        def run(store, name="x"):
            reveal(store)
            reveal(name)
        def main(unknown):
            run(Store())
            run(None, 1)
            run(unknown, name=2.0)
    """
    assert types(tmp_path, text) == ["Store | ?", "str | float | int | ?"]


def test_an_annotation_counts_alone(tmp_path: Path) -> None:
    text = """
        def run(count: int):
            reveal(count)
        def main():
            run("x")
    """
    assert types(tmp_path, text) == ["int"]


def test_what_is_given_too_many_things_is_unknown(tmp_path: Path) -> None:
    classes = "".join(f"        class C{i}: ...\n" for i in range(9))
    calls = "".join(f"            run(C{i}())\n" for i in range(9))
    text = f"{classes}        def run(x):\n            reveal(x)\n        def main():\n{calls}"
    assert types(tmp_path, text) == ["?"]


def test_another_method_of_this_name_says_nothing(tmp_path: Path) -> None:
    text = """
        class Store: ...
        class Handler:
            def run(self, store):
                reveal(store)
        class Other:
            def run(self, store): ...
        def main(other: Other):
            other.run(Store())
    """
    assert types(tmp_path, text) == ["?"]


PACKAGE = {
    "pkg/__init__.py": "",
    "pkg/handler.py": """
        class Handler:
            def __init__(self, store):
                self.store = store
            def run(self):
                reveal(self.store)
    """,
    "pkg/main.py": """
        from pkg.handler import Handler
        from pkg.stores import Store
        def main():
            Handler(Store())
    """,
    "pkg/stores.py": "class Store: ...\n",
}


def test_callers_count_that_are_not_imported(tmp_path: Path) -> None:
    assert Project(tmp_path, PACKAGE).types("pkg/handler.py") == ["Store | ?"]


def test_tests_count_for_tests_alone(tmp_path: Path) -> None:
    files = {
        **PACKAGE,
        "pkg/test/__init__.py": "",
        "pkg/test/test_handler.py": """
            from pkg.handler import Handler
            class Fake: ...
            def run(store):
                reveal(store)
            def test():
                Handler(Fake())
                run(Fake())
        """,
    }
    project = Project(tmp_path, files)
    assert project.types("pkg/handler.py") == ["Store | ?"]
    assert project.types("pkg/test/test_handler.py") == ["Fake | ?"]


def test_files_outside_a_package_do_not_belong_together(tmp_path: Path) -> None:
    files = {name.removeprefix("pkg/"): text for name, text in PACKAGE.items()}
    del files["__init__.py"]
    assert Project(tmp_path, files).types("handler.py") == ["?"]


def test_hints_say_what_objects_are_of_which_nothing_else_is_known(tmp_path: Path) -> None:
    files = {
        "pkg/__init__.py": "from pkg.stores import Store\n",
        "pkg/stores.py": "class Store:\n    size: int\n",
        "pkg/main.py": """
            class Handler:
                def __init__(self, store, other):
                    self.store = store
                    self.mine = other
            def run(store, other, x: str, handler):
                reveal(store)
                reveal(other)
                reveal(handler.store.size)
                store = x
                reveal(store)
                reveal(Handler(1, 2).store)
                reveal(Handler(1, 2).mine.store)
        """,
    }
    project = Project(tmp_path, files)
    project.resolver = Resolver(project.modules, {"store": "pkg.Store"})
    assert project.types("pkg/main.py") == ["Store", "?", "int", "str", "int | ?", "Store"]


def test_a_hint_that_leads_nowhere_says_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path, {"main.py": "def run(store):\n    reveal(store)\n"})
    project.resolver = Resolver(project.modules, {"store": "pkg.Store"})
    assert project.types("main.py") == ["?"]


def test_circles_of_callers_come_to_an_end(tmp_path: Path) -> None:
    text = """
        class Store: ...
        def even(n, store):
            reveal(store)
            return odd(n - 1, store)
        def odd(n, store):
            reveal(store)
            return even(n - 1, store)
        def main():
            even(4, Store())
    """
    assert types(tmp_path, text) == ["Store | ?", "Store | ?"]
