"""How the generators that a function returns are consumed, where all its calls are known.

pages = list(walk(site))                    async with aclosing(read(site)) as lines:
                                                async for line in lines:
"".join(words(text))                                ...
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from logctx_lint.analysis.called_code import outermost
from logctx_lint.analysis.context import TreeContext, contexts_naming
from logctx_lint.analysis.units import File
from logctx_lint.inference.future_uses import Body
from logctx_lint.inference.passed_arguments import parameter_for
from logctx_lint.inference.types import Instance, functions_of, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Class, Function
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, is_name, last_name, own_nodes

_COLLECTS = frozenset(
    {
        *(f"builtins.{name}" for name in ("dict", "frozenset", "list", "set", "sorted", "tuple")),
        *(f"builtins.{name}.join" for name in ("bytearray", "bytes", "str")),
        *(f"builtins.{name}" for name in ("dict.update", "list.extend", "set.update", "sum")),
        *(f"collections.{name}" for name in ("Counter", "OrderedDict", "deque", "deque.extend")),
    }
)
"""What takes all that a generator yields before anything else runs."""
_PASSES_ON = frozenset({"builtins.enumerate", "builtins.zip", "itertools.chain"})
_CLOSES = frozenset({"contextlib.aclosing"})
_YIELDS = (ast.Yield, ast.YieldFrom)
_DISPLAYS = (ast.List, ast.Set, ast.Tuple, ast.Call)


class Consumed(Enum):
    """How those who call a generator function take what it yields."""

    AT_ONCE = "all of it, with nothing in between"
    CLOSED = "step by step in a coroutine, which closes it"
    SOMEHOW = "step by step"


@dataclass(frozen=True, slots=True)
class _Call:
    """A call somewhere in the project, or a name of what it gave, and what is around it."""

    node: ast.Call | ast.Name
    scope: Scope
    parent: Callable[[ast.AST], ast.AST | None]


def consumed(context: TreeContext, function: FunctionNode) -> Consumed:
    """How the generators of a function of the unit are consumed, whoever calls it."""
    made = context.unit.scopes[function].function
    calls = list(_calls(context, made)) if made else []
    kinds = {_consumed(context.file, each) for each in calls}
    if not kinds or _is_named_otherwise(context, function.name):
        return Consumed.SOMEHOW
    return kinds.pop() if len(kinds) == 1 else Consumed.SOMEHOW


def is_iterated(context: TreeContext, cls: Class) -> bool:
    """Whether the file calls an object of a class, and iterates over what that gives."""
    for each in contexts_naming(context.file, cls.name):
        for call, scope in each.unit.nodes(ast.Call):
            members = members_of(each.resolver.type_of(call.func, scope))
            if any(isinstance(member, Instance) and member.cls == cls for member in members):
                outer = each.parent(call)
                if isinstance(outer, ast.For | ast.AsyncFor | ast.comprehension | ast.YieldFrom):
                    return True
                if isinstance(outer, ast.Call | ast.Starred) and _collects(each.file, outer, scope):
                    return True
    return False


def _calls(context: TreeContext, made: Function) -> Iterator[_Call]:
    """The calls that may be of a function: those in its file, and what is known of others.

    What a generator yields from another one like it goes to whoever consumes the first.
    """
    resolver = context.resolver
    for each in contexts_naming(context.file, made.name):
        for call, scope in each.unit.nodes(ast.Call):
            if last_name(call.func) != made.name or not _may_call(each, call, scope, made):
                continue
            if scope.function != made or not isinstance(each.parent(call), ast.YieldFrom):
                yield _Call(call, scope, each.parent)
    for call, scope in resolver.references.calls(made.name, made.module):
        outer = outermost(scope)
        if scope.module == made.module or outer is None:
            continue
        if _may_call(context, call, scope, made):
            yield _Call(call, scope, Body(outer).parent)


def _may_call(context: TreeContext, call: ast.Call, scope: Scope, made: Function) -> bool:
    functions = functions_of(context.resolver.type_of(call.func, scope))
    if not functions or made in functions:
        return True
    ancestors = context.resolver.classes.ancestors(made.owner) if made.owner else ()
    return any(each.owner == ancestor for each in functions for ancestor, _ in ancestors)


def _is_named_otherwise(context: TreeContext, name: str) -> bool:
    """Whether the file names a function anywhere but to call it."""
    nodes = list(all_nodes(context.file.tree))
    called = {each.func for each in nodes if isinstance(each, ast.Call)}
    return any(
        last_name(each) == name and each not in called
        for each in nodes
        if isinstance(each, ast.Name | ast.Attribute)
    )


def _uses_inside(file: File, call: _Call, outer: ast.Call) -> Iterator[_Call]:
    """Where functions of the project use a generator that they are given."""
    for function in functions_of(file.resolver.type_of(outer.func, call.scope)):
        node = function.implementation.source_tree()
        given = parameter_for(file.resolver, outer, function, call.node)
        if node is None or not given:
            continue
        scope = Scope.of_body(function.implementation, node)
        for each in body_nodes(node):
            if is_name(each, given):
                yield _Call(each, scope, Body(node).parent)


def _consumed(file: File, call: _Call, depth: int = 2) -> Consumed:
    node: ast.AST = call.node
    outer = call.parent(node)
    if isinstance(outer, ast.keyword):
        outer = call.parent(outer)
    if isinstance(outer, ast.Call) and _CLOSES & set(file.resolver.names(outer.func, call.scope)):
        return Consumed.CLOSED if _is_entered_by_coroutine(call, outer) else Consumed.SOMEHOW
    if isinstance(outer, ast.Call) and _PASSES_ON & set(
        file.resolver.names(outer.func, call.scope)
    ):
        node, outer = outer, call.parent(outer)
    match outer:
        case ast.Starred():
            display = call.parent(outer)
            is_taken = isinstance(display, _DISPLAYS)
        case ast.Call():
            is_taken = _collects(file, outer, call.scope)
            if not is_taken and depth and node is call.node:
                kinds = {_consumed(file, e, depth - 1) for e in _uses_inside(file, call, outer)}
                is_taken = kinds == {Consumed.AT_ONCE}
        case ast.Assign([ast.Tuple() | ast.List()]):
            is_taken = True
        case ast.comprehension():
            is_taken = _only_collects(call.parent(outer))
        case _:
            is_taken = False
    return Consumed.AT_ONCE if is_taken else Consumed.SOMEHOW


def _collects(file: File, taker: ast.AST, scope: Scope) -> bool:
    if isinstance(taker, ast.Starred):
        return True
    return isinstance(taker, ast.Call) and bool(
        _COLLECTS & set(file.resolver.names(taker.func, scope))
    )


def _only_collects(node: ast.AST | None) -> bool:
    """`[name for name in walk()]`, which runs nothing of its own between two steps."""
    if not isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp):
        return False
    made = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    asked = [each for generator in node.generators for each in generator.ifs]
    runs = (ast.Call, ast.Await, *_YIELDS)
    return len(node.generators) == 1 and not any(
        isinstance(each, runs) for each in own_nodes([*made, *asked])
    )


def _is_entered_by_coroutine(call: _Call, closing: ast.Call) -> bool:
    """Whether `aclosing(...)` is entered in a coroutine: a generator might be left as well."""
    inner: ast.AST | None = closing
    if not isinstance(call.parent(closing), ast.withitem):
        return False
    while inner is not None and not isinstance(inner, FunctionNode):
        inner = call.parent(inner)
    return isinstance(inner, ast.AsyncFunctionDef) and not any(
        isinstance(each, _YIELDS) for each in body_nodes(inner)
    )
