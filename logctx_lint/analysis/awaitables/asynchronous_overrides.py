"""An `async def` that overrides a plain method which the base classes call as a plain one.

class Hooks:
    def on_event(self, event): ...
    def fire(self, event):
        self.on_event(event)                  # drops the coroutine of a subclass

Only what the base classes do themselves is looked at, and all of it has to be wrong: one that
awaits what it gets, or hands it on, may know of such overrides.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from logctx_lint.analysis.called_code import outermost
from logctx_lint.analysis.exact_classes import is_of_exact_class
from logctx_lint.analysis.units import File, Unit
from logctx_lint.inference.known_names import MARKS
from logctx_lint.inference.types import (
    UNKNOWN,
    Certainty,
    FunctionType,
    members_of,
)
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Class, Function
from logctx_lint.syntax.ast_walk import all_nodes, parents_of

_TESTED = {ast.If: "test", ast.While: "test", ast.IfExp: "test", ast.Assert: "test"}


@dataclass(frozen=True, slots=True)
class AsynchronousOverride:
    """A method that must not be asynchronous."""

    node: ast.AsyncFunctionDef
    caller: Function
    """The method of a base class that calls it, or code that has an object of such a class."""
    is_dropped: bool
    """What it returns is thrown away; else it is tested for truth."""


def asynchronous_overrides(unit: Unit) -> Iterator[AsynchronousOverride]:
    """The methods of a unit that override a plain one which is called as such."""
    for node, scope in unit.scopes.items():
        owner = scope.owner
        if (
            isinstance(node, ast.AsyncFunctionDef)
            and owner is not None
            and scope.function is not None
            and scope.function.owner is owner
            and not scope.function.facts.is_generator
            and not node.name.startswith("__")
        ):
            found = _override(unit.file, node, owner)
            if found:
                yield found


def _override(file: File, node: ast.AsyncFunctionDef, owner: Class) -> AsynchronousOverride | None:
    """What is wrong with a method, if all that calls it in the base classes is."""
    classes = file.resolver.classes
    if owner.module is not file.module or classes.unknown_bases(owner) or node.decorator_list:
        return None
    ancestors = [each for each, _ in classes.ancestors(owner)[1:]]
    base = next((each for each in ancestors if node.name in each.facts.functions), None)
    if base is None or not all(_is_plain(file, each) for each in base.function(node.name)):
        return None
    first: AsynchronousOverride | None = None
    in_bases = _uses_in_bases(file, owner, ancestors, node.name)
    for caller, is_dropped in chain(in_bases, _calls_elsewhere(file, base, node.name)):
        if is_dropped is None:
            return None
        first = first or AsynchronousOverride(node, caller, is_dropped)
    return first


def _uses_in_bases(
    file: File, owner: Class, ancestors: list[Class], name: str
) -> Iterator[tuple[Function, bool | None]]:
    """How the methods of the base classes use a method of this name, each with its use."""
    for method in _callers(file, owner, ancestors, name):
        tree = method.tree()
        for is_dropped in _uses(tree, name) if tree else ():
            yield method, is_dropped


def _calls_elsewhere(file: File, base: Class, name: str) -> Iterator[tuple[Function, bool | None]]:
    """How other code uses what the method gives, on objects that are known to be of the base class.

    Where an object is not known, or is told to be of a class whose method is asynchronous, and what
    it gives is not dropped, the project may tell them apart.
    """
    methods = base.function(name)
    for call, scope in file.resolver.references.calls(name, file.module):
        match call.func:
            case ast.Attribute(ast.Name("self")) | ast.Attribute(ast.Call(ast.Name("super"))):
                continue
            case ast.Attribute(receiver) if not is_of_exact_class(file, receiver, scope):
                pass
            case _:
                continue
        tree, caller = outermost(scope), scope.function
        if tree is None or caller is None:
            continue
        use = _use(call, parents_of(tree))
        members = members_of(file.resolver.type_of(call.func, scope))
        known = [each.function for each in members if isinstance(each, FunctionType)]
        if any(each in methods for each in known):
            given = file.resolver.awaitability(file.resolver.type_of(call, scope))
            if use is None or given.certainty is Certainty.NO:
                yield caller, use  # What may give an awaitable is reported there.
        elif use is None and all(each.facts.is_async for each in known):
            yield caller, None


def _is_plain(file: File, function: Function) -> bool:
    """Whether a method gives no awaitable, and does not say that it might."""
    facts, resolver = function.facts, file.resolver
    if facts.is_async or facts.is_generator or function.module.is_stub:
        return False
    names = {
        name
        for text in facts.decorators
        for name in resolver.names_of_text(text, resolver.functions.body_scope(function))
    }
    if facts.decorators and not names & MARKS:
        return False
    result = resolver.functions.plain_result(function)
    if result == UNKNOWN and not facts.returns:
        return resolver.functions.is_abstract(function)
    return resolver.awaitability(result).certainty is Certainty.NO


def _callers(file: File, owner: Class, ancestors: list[Class], name: str) -> Iterator[Function]:
    """The methods that a class has from its base classes, and that call the one of that name."""
    classes = file.resolver.classes
    for cls in ancestors:
        for each in () if cls.module.is_stub else cls.facts.functions:
            is_inherited = classes.functions(owner, each)[:1] == cls.function(each)[:1]
            for method in cls.function(each) if is_inherited and each != name else ():
                if f"self.{name}" in method.text():
                    yield method


def _uses(tree: FunctionNode, name: str) -> Iterator[bool | None]:
    """How `self.NAME` is used: dropped, tested for truth (False), or in other ways (None)."""
    parents = parents_of(tree)
    for node in all_nodes(tree):
        match node:
            case ast.Attribute(ast.Name("self"), found) if found == name:
                call = parents.get(node)
                is_call = isinstance(call, ast.Call) and call.func is node
                yield _use(call, parents) if is_call and call else None


def _use(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool | None:
    outer = parents.get(node)
    match outer:
        case ast.Expr():
            return True
        case ast.UnaryOp(ast.Not()):
            return False
        case ast.BoolOp(_, values):
            # The last one is what the whole gives.
            return False if node is not values[-1] else _use(outer, parents)
        case ast.comprehension(ifs=tests) if node in tests:
            return False
    tested = _TESTED.get(type(outer)) if outer else None
    return False if tested and getattr(outer, tested) is node else None
