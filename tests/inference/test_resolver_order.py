"""Answers depend on the text of the project alone, never on what was asked before."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from logctx_lint.inference.resolver import Resolver
from logctx_lint.inference.types import Certainty, FunctionType
from logctx_lint.project.facts_cache import FactsCache
from logctx_lint.project.modules import Function, Modules
from tests.support.projects import Project, show, write

FILES = {
    # Three modules that import each other in a circle, by name, star and attribute.
    "pkg/__init__.py": "from .a import A\nfrom .c import *\n",
    "pkg/a.py": """
        from typing import Generic, TypeVar
        from . import b
        from .c import helper
        T = TypeVar("T")
        class A(b.Base["A"]):
            def __init__(self):
                self.partner = b.make(self)
                self.helped = helper(self)
            def ping(self, n):
                if n:
                    return self.partner.pong(n - 1)
                return self
            async def work(self) -> int:
                reveal(self.partner.pong(1))
                reveal(self.helped)
        reveal(A().ping(1))
        reveal(A().partner)
    """,
    "pkg/b.py": """
        from typing import Generic, TypeVar
        import pkg.a
        T = TypeVar("T")
        class Base(Generic[T]):
            item: T
            def pong(self, n):
                return pkg.a.A().ping(n) or even(n)
        def make(x):
            return Base()
        def even(n):
            return odd(n - 1) if n else one()
        def odd(n):
            return even(n - 1) if n else two()
        async def one() -> int: ...
        async def two() -> str: ...
        reveal(even(1))
        reveal(odd(1))
        reveal(Base().pong(1))
        reveal(pkg.a.A().item)
    """,
    "pkg/c.py": """
        from . import a
        from .b import *
        def helper(x):
            return wrap(x)
        def wrap(x):
            return a.A().helped or odd(1)
        @wrap
        def decorated():
            return decorated()
        reveal(helper(1))
        reveal(decorated())
        reveal(a.A().ping(2))
    """,
    "main.py": """
        from pkg import A, helper, odd
        reveal(A().work())
        reveal(helper(1))
        reveal(odd(3))
        reveal(A().ping(0).partner.pong(1))
    """,
}


def answers(project: Project, order: random.Random) -> dict[tuple[str, int], str]:
    """What is revealed in every file, asked in a random order."""
    files = list(FILES)
    order.shuffle(files)
    found = {}
    questions = [(name, node, scope) for name in files for node, scope in project.revealed(name)]
    order.shuffle(questions)
    for name, node, scope in questions:
        found[name, node.lineno] = show(project.resolver.type_of(node, scope))
    return found


@pytest.mark.parametrize("seed", range(12))
def test_answers_do_not_depend_on_the_order_of_questions(tmp_path: Path, seed: int) -> None:
    alone = {}
    project = Project(tmp_path, FILES)
    for name in FILES:
        for line in {node.lineno for node, _ in project.revealed(name)}:
            fresh = Project(tmp_path)
            for node, scope in fresh.revealed(name):
                if node.lineno == line:
                    alone[name, line] = show(fresh.resolver.type_of(node, scope))
    assert answers(project, random.Random(seed)) == alone


def test_asking_again_changes_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path, FILES)
    first = answers(project, random.Random(0))
    assert answers(project, random.Random(1)) == first


def test_lone_files_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    text = "{}def work(): return 1\n"
    write(tmp_path, {"a/same.py": text.format("async "), "b/same.py": text.format("")})
    modules = Modules((), FactsCache(None))
    resolver = Resolver(modules)
    answers = []
    for folder in ("a", "b"):
        module = modules.find("same", tmp_path / folder)
        assert module is not None
        function = Function(module, "same.work", 1, module.facts.functions["work"][0])
        answers.append(resolver.awaitability(resolver.call_type(FunctionType(function))).certainty)
    assert answers == [Certainty.YES, Certainty.NO]
