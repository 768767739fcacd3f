"""What is known of a cancellation where a condition holds, or does not."""

from __future__ import annotations

import ast

from logctx_lint.analysis.cancellation.cancellation_state import Code, key_of
from logctx_lint.syntax.ast_walk import own_nodes


def nobody_waits(start: ast.AST | None, test: ast.AST | None, truth: bool) -> bool:
    """Of `if not future.done(): future.set_exception(error)`: where it is done already."""
    while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test, truth = test.operand, not truth
    match test:
        case ast.Call(ast.Attribute(receiver, "done" | "cancelled"), []) if truth:
            pass
        case ast.Attribute(receiver, "called") if truth:
            pass
        case _:
            return False
    return isinstance(start, ast.ExceptHandler) and any(
        isinstance(each, ast.Call)
        and isinstance(each.func, ast.Attribute)
        and each.func.attr in ("set_exception", "errback")
        and ast.unparse(each.func.value) == ast.unparse(receiver)
        and any(key_of(given) == start.name for given in each.args)
        for each in own_nodes(start.body)
    )


def is_another_cancellation(code: Code, test: ast.AST | None) -> bool:
    """`isinstance(primary, CancelledError)`, of a name that holds something else."""
    match test:
        case ast.Call(ast.Name("isinstance"), [ast.Name(), classes]):
            return code.caught(classes).by_name
    return False


def kept_instead(start: ast.AST | None, test: ast.AST | None, truth: bool) -> str:
    """Of `if first is None: first = error`: the name that holds an earlier one otherwise."""
    if not isinstance(start, ast.ExceptHandler):
        return ""
    match test:
        case ast.Compare(left, [ast.Is()], [ast.Constant(None)]) if not truth:
            key = key_of(left)
        case ast.Compare(left, [ast.IsNot()], [ast.Constant(None)]) if truth:
            key = key_of(left)
        case _:
            return ""
    is_kept = any(
        isinstance(each, ast.Assign)
        and key_of(each.value) == start.name
        and any(key_of(target) == key for target in each.targets)
        for each in own_nodes(start.body)
    )
    return key if is_kept else ""
