"""Asynchronous functions that libraries and Python itself call as plain ones, such as `__len__`.

async def __len__(self): ...              # Python itself, which `await`s nothing
class Sender(logging.Handler):
    async def emit(self, record): ...     # a library's base class
class TestStore(unittest.TestCase):
    async def test_load(self): ...        # passes, and never runs
@atexit.register
async def close(): ...                    # a decorator that calls what it stands on
@bus.on("ready")
async def ready(): ...                    # one of the project, which keeps it for a plain call
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.awaitables.decorator_blocks import reached_by
from logctx_lint.analysis.awaitables.dropping_callees import dropping_decorator
from logctx_lint.analysis.unit_tests import is_run_by_unittest
from logctx_lint.analysis.units import File, Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.definitions import Variable
from logctx_lint.inference.known_names import KIND_TEST_NAMES
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.modules import Class, Function
from logctx_lint.syntax.ast_walk import all_nodes, is_super, last_name

_DROPS = "drops the coroutine, which never runs"
_TRUTH = "takes the coroutine for true, whatever it would return"
_FAILS = "fails, as a coroutine is no such value"
_SPECIAL = {
    **dict.fromkeys(
        ("__del__", "__setattr__", "__delattr__", "__setitem__", "__delitem__", "__set__",
         "__delete__", "__set_name__", "__init_subclass__", "__post_init__", "__attrs_post_init__"),
        _DROPS,
    ),
    **dict.fromkeys(("__contains__", "__exit__"), _TRUTH),
    **dict.fromkeys(
        ("__init__", "__len__", "__bool__", "__hash__", "__str__", "__repr__", "__format__",
         "__bytes__", "__int__", "__float__", "__index__", "__iter__", "__aiter__", "__await__"),
        _FAILS,
    ),
}  # fmt: skip
"""Methods that Python calls, and what it does with a coroutine.

Some others may give one on purpose, for whoever uses the operator to await: `await (a < b)`.
"""
_ASYNC_TEST_CASE = frozenset({"unittest.async_case.IsolatedAsyncioTestCase"})
_OWN_RUNNERS = frozenset(
    {"run", "debug", "__call__", "__init_subclass__", "__getattribute__", "_callTestMethod",
     "_callSetUp", "_callTearDown"}
)  # fmt: skip
"""Methods of a test case of one's own that may see to it that coroutines run."""
_RUN_COROUTINES = KIND_TEST_NAMES | {"_testMethodName", "async_to_sync"}
"""Names that other methods of such a test case use."""
_CALLERS = frozenset({Role.CALLBACK_TAKER, Role.PLAIN_CALLER})
_PLAINLY_CALLED = frozenset({Role.PLAINLY_CALLED})


@dataclass(frozen=True, slots=True)
class PlainlyCalled:
    """An asynchronous function in such a place."""

    node: ast.AsyncFunctionDef
    decorator: ast.expr | None
    """Which calls it; None if its name has it called."""
    what: str
    """Who calls it, and what becomes of the coroutine."""
    is_seen: bool = True
    """Nobody else may do it in another way, as what makes objects of a class that it is given."""


def plain_callbacks(unit: Unit) -> Iterator[PlainlyCalled]:
    """The asynchronous functions of a unit that are called as plain ones."""
    for node, scope in unit.scopes.items():
        function = scope.function
        if not isinstance(node, ast.AsyncFunctionDef) or function is None:
            continue
        if function.facts.is_generator:
            continue
        owner = function.owner
        if owner is not None and not node.decorator_list:
            what = _called_by_name(unit.file, node.name, owner)
            if what:
                yield PlainlyCalled(node, None, what, _is_made(unit.file, node.name, owner))
        outer = scope.parent or Scope(scope.module)
        for decorator in node.decorator_list:
            what = _called_by_decorator(unit.file, function, decorator, outer)
            if not what and len(node.decorator_list) == 1:
                what = dropping_decorator(unit.file, decorator, outer)
            if what:
                yield PlainlyCalled(node, decorator, what)


def _called_by_decorator(file: File, function: Function, decorator: ast.expr, outer: Scope) -> str:
    """What a decorator does, if it is known to call the function as a plain one; else empty."""
    func = decorator.func if isinstance(decorator, ast.Call) else decorator
    plays = file.may_play(func, _CALLERS) and _roles(file, func, outer)
    if plays and plays & _CALLERS and reached_by(file, function, decorator):
        return f"`@{ast.unparse(decorator)}` has it called as a plain function"
    return ""


def _is_made(file: File, name: str, owner: Class) -> bool:
    """Whether the project itself makes objects of a class, where a method is for that.

    `ray.remote(Worker)` makes them elsewhere, and awaits their `__init__()`.
    """
    if name != "__init__":
        return True
    resolver = file.resolver
    names = {each.name for each in (owner, *resolver.references.subclasses(owner))}
    return any(last_name(each.func) in names for each in file.nodes(ast.Call)) or any(
        any(resolver.references.calls(each, file.module)) for each in names
    )


def _roles(file: File, func: ast.expr, scope: Scope) -> frozenset[Role]:
    """The roles of a decorator; of `app.command`, by the class that `app` is made of, too."""
    roles = file.roles(func, scope)
    match func:
        case ast.Attribute(ast.Name() as root, name):
            definition = file.resolver.define(root, scope)[0]
            if isinstance(definition, Variable) and len(definition.facts) == 1:
                made = parse_expression(definition.facts[0].value)
                if isinstance(made, ast.Call):
                    names = file.resolver.names(made.func, Scope(definition.module))
                    roles |= file.vocabulary.roles([f"{each}.{name}" for each in names])
    return roles


def _may_run_coroutines(cls: Class) -> bool:
    """Whether a test case may have a way of its own to run its tests."""
    if cls.facts.decorators or _OWN_RUNNERS & cls.facts.functions.keys():
        return True
    return bool(cls.facts.metaclass) or any(
        last_name(node) in _RUN_COROUTINES or getattr(node, "value", None) == "_testMethodName"
        for method in cls.methods()
        if any(word in method.text() for word in _RUN_COROUTINES)
        for node in all_nodes(method.tree() or ast.Pass())
    )


def _calling_base(file: File, name: str, owner: Class) -> str:
    """The base class from a library that calls a method and awaits nothing, if no other may."""
    if not file.vocabulary.playing(_PLAINLY_CALLED)[name]:
        return ""
    classes = file.resolver.classes
    own = [each for each, _ in classes.ancestors(owner) if not each.module.is_stub]
    known = {each.qualified_name for each in own}
    bases = [each for each in classes.names(owner) if each not in known]
    base = next(
        (each for each in bases if file.vocabulary.roles([f"{each}.{name}"]) & _PLAINLY_CALLED), ""
    )
    # What the project calls or awaits itself, or looks up by a name, is its own business.
    if not base or any(_may_see_to_it(each, name) for each in own):
        return ""
    return "" if name in file.awaited_methods else base


def _may_see_to_it(cls: Class, name: str) -> bool:
    """Whether a class of one's own may have a way of its own to call a method."""
    words = (f".{name}(", "getattr(")
    trees = (
        method.tree() for method in cls.methods() if any(word in method.text() for word in words)
    )
    return any(_calls(node, name) for tree in trees if tree for node in all_nodes(tree))


def _calls(node: ast.AST, name: str) -> bool:
    """Whether code calls a method of that name, or looks one up by its name."""
    match node:
        case ast.Call(ast.Attribute(receiver, called)):
            return called == name and not is_super(receiver)
        case ast.Call(ast.Name("getattr"), [ast.Name("self"), *_]):
            return True
    return False


def _called_by_name(file: File, name: str, owner: Class) -> str:
    if name in _SPECIAL:
        return f"Python calls it as a plain method and {_SPECIAL[name]}"
    base = _calling_base(file, name, owner)
    if base:
        return f"`{base}` calls it as a plain method and {_DROPS}"
    is_test = name.startswith("test")
    classes = file.resolver.classes
    if not is_run_by_unittest(file, name, owner):
        return ""
    if is_test and classes.has_ancestor(owner, _ASYNC_TEST_CASE):
        return ""
    own = [each for each, _ in classes.ancestors(owner) if not each.module.is_stub]
    if any(_may_run_coroutines(each) for each in own):
        return ""
    if any(each.startswith("twisted.") for each in classes.names(owner)):
        return ""
    if is_test:
        return "`unittest.TestCase` drops the coroutine: the test passes and never runs"
    return f"`unittest` calls `{name}()` as a plain method and {_DROPS}"
