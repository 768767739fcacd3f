"""Decorators whose wrapper calls the function inside a `with`, and leaves that as it returns."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.log_contexts import plays
from logctx_lint.analysis.units import File
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.types import FunctionType, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import all_nodes, own_nodes

BLOCKS = frozenset({Role.CONTEXT_MANAGER, Role.MEASUREMENT, Role.TRACING_SPAN})
"""Roles of what is meant to stay open while the work in it runs."""
_KNOWS_AWAITABLES = ("await", "Deferred", "iscoroutine", "async def", "yield")
"""Words in the text of a decorator that treats awaitables by themselves."""
_DEEPEST = 3
"""How far inside a decorator its wrapper may stand."""


def left_by_wrapper(
    file: File, decorator: ast.expr, scope: Scope, decorated: Function
) -> str | None:
    """The `with` that a decorator puts around a call, but not around what that returns."""
    func = decorator.func if isinstance(decorator, ast.Call) else decorator
    if file.may_play(func, BLOCKS) and file.roles(func, scope) & BLOCKS:
        # The libraries' own know a coroutine function when they decorate it.
        return None if decorated.facts.is_async else f"with {ast.unparse(decorator)}"
    for member in members_of(file.resolver.type_of(func, scope)):
        if isinstance(member, FunctionType) and not member.function.module.is_stub:
            found = _wrapping(file, member.function.implementation)
            if found:
                return found
    return None


def _wrapping(file: File, function: Function) -> str | None:
    facts = function.facts
    text = "".join(function.module.source.lines[facts.first_line - 1 : facts.end_line])
    if "with " not in text or any(word in text for word in _KNOWS_AWAITABLES):
        return None
    node = function.tree()
    if node is None:
        return None
    return next(_left(file, Scope.of_body(function, node), node, set(), _DEEPEST), None)


def _left(
    file: File, scope: Scope, node: FunctionNode, outer: set[str], depth: int
) -> Iterator[str]:
    """The `with` statements in which a wrapper returns what a parameter of its decorator gives."""
    given = {argument.arg for argument in all_nodes(node.args) if isinstance(argument, ast.arg)}
    for inner in own_nodes(node.body):
        if isinstance(inner, ast.With):
            items = [item.context_expr for item in inner.items]
            opened = [item for item in items if plays(file, item, scope, BLOCKS)]
            if opened and any(_returns_call_of(each, outer) for each in inner.body):
                yield f"with {ast.unparse(opened[0])}"
        elif isinstance(inner, FunctionNode) and depth:
            for binding in scope.bindings.get(inner.name, ()):
                if binding.function:
                    nested = Scope.of_body(binding.function, inner)
                    yield from _left(file, nested, inner, outer | given, depth - 1)


def _returns_call_of(statement: ast.stmt, names: set[str]) -> bool:
    return any(
        isinstance(inner, ast.Return)
        and isinstance(inner.value, ast.Call)
        and isinstance(inner.value.func, ast.Name)
        and inner.value.func.id in names
        for inner in own_nodes([statement])
    )
