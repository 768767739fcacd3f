"""Whether two methods that open and close something always run as a pair in one context.

async def __aenter__(self):                 async def run(self):
    await self._open()                          await self._open()
                                                try:
async def __aexit__(self, *exc_info):               await self._work()
    await self._close()                         finally:
                                                    await self._close()
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

from logctx_lint.analysis.context import TreeContext, contexts_naming
from logctx_lint.analysis.own_class import class_node
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, last_name, own_nodes

_PAIRS = (
    *itertools.product(("__enter__", "__aenter__"), ("__exit__", "__aexit__")),
    ("setUp", "tearDown"),
    ("asyncSetUp", "asyncTearDown"),
    ("setup_method", "teardown_method"),
    ("setup", "teardown"),
)
"""Methods that are called in one context, or are the business of LCX404."""


def are_paired(context: TreeContext, opening: str, closing: str) -> bool:
    """Whether one method of the unit's class runs where an object is entered, and the other where
    that is left, or a function calls both and makes sure of the second."""
    methods = _methods(context)
    return any(
        _runs_only_in(methods, opening, first) and _runs_only_in(methods, closing, second)
        for first, second in _PAIRS
    ) or _balances(context, opening, closing)


def _methods(context: TreeContext) -> list[FunctionNode]:
    """The methods of the unit's class, and of its base classes in the project."""
    owner = context.unit.scope.owner
    ancestors = context.resolver.classes.ancestors(owner) if owner else ()
    own = (cls for cls, _ in ancestors if not cls.module.is_stub)
    return [tree for cls in own for _, tree in cls.method_trees()]


def _runs_only_in(
    methods: list[FunctionNode], name: str, special: str, seen: frozenset[str] = frozenset()
) -> bool:
    """Whether a method is a certain one, or is called by that alone, itself or by another."""
    if name == special:
        return True
    uses = {each.name for each in methods if any(_of_self(all_nodes(each), name))}
    return (
        bool(uses)
        and name not in seen
        and all(_calls(each, name) for each in methods if each.name in uses)
        and all(_runs_only_in(methods, each, special, seen | {name}) for each in uses)
    )


def _of_self(nodes: Iterator[ast.AST], name: str) -> Iterator[ast.Attribute]:
    for node in nodes:
        match node:
            case ast.Attribute(ast.Name("self"), found) if found == name:
                yield node


def _calls(method: FunctionNode, name: str) -> bool:
    """Whether a method makes nothing of another one but to call it."""
    called = {each.func for each in body_nodes(method, ast.Call)}
    return all(each in called for each in _of_self(all_nodes(method), name))


def _balances(context: TreeContext, opening: str, closing: str) -> bool:
    """Whether one function makes all calls of two private methods, the second in `finally`."""
    found = [sole_caller(context, each) for each in (opening, closing)]
    if found[0] is None or found[1] is None:
        return False
    (_, function, opened), (_, other, closed) = found[0], found[1]
    return function is other and is_made_sure(function, opened, closed)


def is_made_sure(function: FunctionNode, first: ast.Call, then: ast.Call) -> bool:
    """Whether a `finally` of a function has a call, for all that runs behind another one."""
    return any(
        first.lineno < node.lineno or first in body_nodes(node)
        for node in body_nodes(function, ast.Try)
        if then in own_nodes(node.finalbody)
    )


def sole_caller(
    context: TreeContext, name: str
) -> tuple[TreeContext, FunctionNode, ast.Call] | None:
    """The one place that calls a private function of the file, if it is named nowhere else."""
    if not name.startswith("_") or name.endswith("__"):
        return None
    named = _named(context, name)
    if len(named) != 1:
        return None
    for outer in contexts_naming(context.file, name):
        call, function = outer.parent(named[0]), outer.function_of(named[0])
        if isinstance(call, ast.Call) and call.func is named[0]:
            is_run = isinstance(outer.parent(call), ast.Await | ast.Expr | ast.Assign)
            if is_run and isinstance(function, FunctionNode):
                return outer, function, call
    return None


def _named(context: TreeContext, name: str) -> list[ast.Name | ast.Attribute]:
    """The uses of a name in the file, without those of other classes for methods of their own."""
    own = class_node(context)
    others: set[ast.AST] = set()
    for cls in all_nodes(context.file.tree, ast.ClassDef):
        if own is None or cls is own:
            continue
        if own.name not in map(last_name, cls.bases):
            others.update(_of_self(all_nodes(cls), name))
    return [
        node
        for node in all_nodes(context.file.tree)
        if isinstance(node, ast.Name | ast.Attribute)
        and last_name(node) == name
        and isinstance(node.ctx, ast.Load)
        and node not in others
    ]
