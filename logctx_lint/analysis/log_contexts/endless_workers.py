"""Tasks that never end, started lazily in the context of whoever comes first."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.called_code import code_of
from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.surroundings import within
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes


def is_endless(function: Function) -> bool:
    """Whether a coroutine function of the project is a loop without end."""
    code = code_of(function) if function.facts.is_async else None
    return code is not None and any(
        isinstance(node, ast.While)
        and isinstance(node.test, ast.Constant)
        and bool(node.test.value)
        and not any(isinstance(inner, ast.Return | ast.Break) for inner in body_nodes(node))
        for node in code.nodes
    )


def runs_alongside(function: Function) -> bool:
    """Whether a function is a loop that goes on until something else tells it to end."""
    node = function.source_tree()
    return node is not None and any(
        isinstance(each, ast.While)
        and isinstance(each.test, ast.Constant)
        and bool(each.test.value)
        and not any(isinstance(inner, ast.Return) for inner in body_nodes(each))
        for each in node.body
    )


def is_by_need(context: TreeContext, call: ast.Call) -> bool:
    """Whether a condition around it asks for what the task is kept in: `if self.worker is None`."""
    kept = {ast.unparse(each) for each in _kept_in(context, call)}
    tests = (outer.test for outer, _ in within(context, call) if isinstance(outer, ast.If))
    return any(
        isinstance(each, ast.Name | ast.Attribute) and ast.unparse(each) in kept
        for test in tests
        for each in all_nodes(test)
    )


def _kept_in(context: TreeContext, call: ast.Call) -> Iterator[ast.expr]:
    for outer in context.around(call):
        match outer:
            case ast.Assign(targets):
                yield from targets
            case ast.AnnAssign(target):
                yield target
            case ast.Call(ast.Attribute(receiver)):
                yield receiver
            case ast.stmt():
                return
