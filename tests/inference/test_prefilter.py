"""What the prefilter rules out is no awaitable, and it rules out most of what is none."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from logctx_lint.analysis.units import File, units
from logctx_lint.config.settings import Settings
from logctx_lint.engine.engine import Engine
from logctx_lint.inference import protocols
from logctx_lint.inference.types import Certainty
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts_cache import FactsCache
from logctx_lint.project.modules import Modules
from logctx_lint.syntax.source import Source
from tests.support.projects import write

FIXTURES = Path(__file__).parents[1] / "fixtures"
_AWAITABLE = (Certainty.YES, Certainty.LIKELY, Certainty.SOME)

PACKAGE = """
    import functools
    from collections.abc import Awaitable, Callable
    from typing import TypeVar
    from twisted.internet.defer import Deferred, inlineCallbacks
    from .other import fetch as bring

    F = TypeVar("F", bound=Callable[..., object])
    T = TypeVar("T")
    Later = Deferred[None]
    partly = functools.partial(bring, 1)

    async def coroutine() -> int: ...
    def annotated() -> "Deferred[int]": ...
    def by_alias() -> Later: ...
    def plain() -> int: ...
    def unsaid(): return coroutine()
    def unsaid_none(): return
    def same(x: T) -> T: ...
    @inlineCallbacks
    def inline(): yield
    def mark(function: F) -> F: ...
    def change(function): return coroutine
    def mark_with(text: str) -> Callable[[F], F]: ...
    @mark
    def marked() -> int: ...
    @mark_with("x")
    def marked_with() -> int: ...
    @change
    def changed() -> int: ...

    class Task(Deferred): ...
    class Caller:
        async def __call__(self) -> None: ...
    class Box(list[Deferred]): ...
    class Plain: ...

    class Holder:
        def __init__(self, given, start: Callable[[], Awaitable[None]], plain: Plain) -> None:
            self.given = given
            self.start = start
            self.plain_one = plain
            self.caller = Caller()
            local = coroutine
            self.from_local = local
            self.number = 3
        def make(self) -> Task: ...
        def box(self) -> Box: ...

    def outer():
        class Inner:
            async def hidden(self): ...
"""


@pytest.fixture
def modules(tmp_path: Path) -> tuple[Modules, Path]:
    write(
        tmp_path,
        {
            "pkg/__init__.py": PACKAGE,
            "pkg/other.py": "async def fetch(number): ...\nitem.put_there = 3\n",
            "elsewhere/__init__.py": "async def plain(): ...\n",
        },
    )
    return Modules((), FactsCache(None)), tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "coroutine", "annotated", "by_alias", "unsaid", "same", "inline", "changed", "bring",
        "partly", "Task", "Caller", "make", "box", "given", "start", "caller", "from_local",
        "hidden", "put_there",
    ],
)  # fmt: skip
def test_names_that_lead_to_awaitables(modules: tuple[Modules, Path], name: str) -> None:
    near = modules[0].find("pkg", modules[1])
    assert near
    assert name in modules[0].awaitable_names(near).names


@pytest.mark.parametrize(
    "name",
    ["plain", "unsaid_none", "marked", "marked_with", "Plain", "plain_one", "number", "absent"],
)
def test_names_that_do_not(modules: tuple[Modules, Path], name: str) -> None:
    near = modules[0].find("pkg", modules[1])
    assert near
    assert name not in modules[0].awaitable_names(near).names


def test_what_a_package_imports_counts_too(tmp_path: Path) -> None:
    files = {
        "pkg/__init__.py": "import other.deep\n",
        "other/__init__.py": "",
        "other/deep.py": "from third import x\n",
        "third.py": "async def far(): ...\n",
    }
    write(tmp_path, files)
    modules = Modules((), FactsCache(None))
    near = modules.find("pkg", tmp_path)
    assert near
    assert "far" in modules.awaitable_names(near).names


def test_a_text_that_changes_is_looked_at_again(tmp_path: Path) -> None:
    write(tmp_path, {"pkg/__init__.py": "", "pkg/a.py": "def deliver(): ...\n"})
    modules = Modules((), FactsCache(None))
    near = modules.find("pkg", tmp_path)
    assert near
    assert "deliver" not in modules.awaitable_names(near).names
    modules.of_source(Source(tmp_path / "pkg/a.py", "async def deliver(): ...\n"))
    assert "deliver" in modules.awaitable_names(near).names


LOCALS = """
    from twisted.internet.defer import Deferred
    async def work(): ...
    def plain() -> list[int]: ...
    def use(unsaid, number: int, waiters: dict[str, Deferred], anything):
        a = plain()
        b = a
        c = work()
        for d in waiters.values(): ...
        for e in plain(): ...
        f = g = 1
        f = g
        g = f
        h, i = c, 1
        assert isinstance(number, Deferred)
        j = [work()][0]
        k = sorted(waiters)
        for l in sorted(plain()): ...
        return work(), plain(), len(a), a, b, c, d, e, h, j, l, number, unsaid
"""


def test_locals_are_followed_to_what_they_are_bound_to(tmp_path: Path) -> None:
    write(tmp_path, {"pkg/__init__.py": "", "pkg/a.py": LOCALS})
    file = _file(tmp_path / "pkg/a.py", Engine(Settings(root=tmp_path), use_cache=False))
    returned = next(
        (node, scope) for unit in units(file, file.tree) for node, scope in unit.nodes(ast.Return)
    )
    said = {
        ast.unparse(each): file.prefilter.may_be_awaitable(each, returned[1])
        for each in returned[0].value.elts  # type: ignore[union-attr]
    }
    ruled_out = {name for name, may_be in said.items() if not may_be}
    assert ruled_out == {"plain()", "len(a)", "a", "b", "e", "l"}


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(Settings(root=FIXTURES), use_cache=False)


@pytest.mark.parametrize("path", sorted(FIXTURES.rglob("*.py")), ids=lambda path: path.stem)
def test_what_a_look_rules_out_is_no_awaitable(path: Path, engine: Engine) -> None:
    file = _file(path, engine)
    resolver, prefilter = file.resolver, file.prefilter
    for node, scope in _expressions(file):
        type_ = resolver.type_of(node, scope)
        if not prefilter.may_be_awaitable(node, scope):
            assert resolver.awaitability(type_).certainty not in _AWAITABLE, ast.unparse(node)
        if not prefilter.may_hold_awaitables(node, scope):
            element = protocols.iterated(resolver, type_)
            assert resolver.awaitability(element).certainty not in _AWAITABLE, ast.unparse(node)


def _file(path: Path, engine: Engine) -> File:
    source = Source.read(path)
    return engine._file(engine._learn(source), source.parse(), Settings())


def _expressions(file: File) -> Iterator[tuple[ast.expr, Scope]]:
    kinds = (ast.Call, ast.Attribute, ast.Name, ast.Subscript, ast.IfExp, ast.BoolOp)
    for unit in units(file, file.tree):
        for kind in kinds:
            for node, scope in unit.nodes(kind):
                if not isinstance(getattr(node, "ctx", ast.Load()), ast.Store | ast.Del):
                    yield node, scope
