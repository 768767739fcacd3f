"""Clean-up that waits where anyio's or trio's scope is cancelled already.

There a cancellation lasts: every `await` in the cancelled scope raises it anew, those in `finally`
blocks and handlers included, so that their clean-up never happens unless a scope shields it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.called_code import code_of
from logctx_lint.analysis.context import TreeContext, as_try, in_source_order
from logctx_lint.analysis.exception_handlers import Cancellation, caught_by
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.types import FunctionType, members_of
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import last_name, own_nodes

_CLOSING = frozenset({"aclose", "aclose_forcefully", "checkpoint", "cancel_shielded_checkpoint"})
"""What does its work even where it is cancelled, or is there to be cancelled."""


def unshielded(context: TreeContext, function: ast.AsyncFunctionDef) -> Iterator[ast.Await]:
    """The first `await` of each block of a function that only runs in a cancelled scope."""
    for node in own_nodes(function.body):
        attempt = as_try(node)
        if attempt is None:
            continue
        for handler in attempt.handlers:
            if handler.type is not None and _is_of_scopes(context, handler.type):
                yield from _first(context, function, handler.body)
        if _is_limited(context, attempt) or (
            any(isinstance(each, ast.Await) for each in own_nodes(attempt.finalbody))
            and _is_of_cancelled_group(context, function)
        ):
            yield from _first(context, function, attempt.finalbody)


def _is_of_scopes(context: TreeContext, clause: ast.expr) -> bool:
    return bool(caught_by(context, clause).named & Cancellation.TRIO)


def _is_limited(context: TreeContext, attempt: ast.Try) -> bool:
    """Whether a scope around a `try`, in the same function, ends it when its time is over."""
    for outer in context.around(attempt):
        if isinstance(outer, FunctionNode):
            return False
        if isinstance(outer, ast.With) and any(
            Role.CANCEL_SCOPE in context.roles(item.context_expr) for item in outer.items
        ):
            return True
    return False


def _is_of_cancelled_group(context: TreeContext, function: ast.AsyncFunctionDef) -> bool:
    """Whether a function is started in a task group that the same code cancels as a whole.

    group.start_soon(feed.read)
    ...
    group.cancel_scope.cancel()
    """
    scope = context.unit.scopes[function]
    own = scope.function
    if own is None:
        return False
    resolver = context.resolver
    for call, where in resolver.references.calls("start_soon", own.module):
        match call:
            case ast.Call(ast.Attribute(ast.Name(group), _), [started, *_]):
                pass
            case _:
                continue
        if last_name(started) != own.name or not isinstance(where.node, FunctionNode):
            continue
        members = members_of(resolver.type_of(started, where))
        is_own = any(isinstance(each, FunctionType) and each.function == own for each in members)
        if is_own and any(_cancels(node, group) for node in own_nodes(where.node.body)):
            return True
    return False


def _cancels(node: ast.AST, group: str) -> bool:
    match node:
        case ast.Call(ast.Attribute(ast.Attribute(ast.Name(name), "cancel_scope"), "cancel")):
            return name == group
    return False


def _first(
    context: TreeContext, function: FunctionNode, block: list[ast.stmt]
) -> Iterator[ast.Await]:
    awaits = (each for each in own_nodes(block) if isinstance(each, ast.Await))
    for each in in_source_order(awaits):
        if _is_shielded(context, function, each) or _is_closing(each.value):
            continue
        if not _shields_itself(context, each.value):
            yield each
        return


def _is_shielded(context: TreeContext, function: FunctionNode, node: ast.Await) -> bool:
    for outer in context.around(node):
        if outer is function:
            return False
        if isinstance(outer, ast.With) and any(
            isinstance(item.context_expr, ast.Call) and _shields(item.context_expr)
            for item in outer.items
        ):
            return True
    return False


def _shields(scope: ast.Call) -> bool:
    return any(
        keyword.arg == "shield"
        and not (isinstance(keyword.value, ast.Constant) and not keyword.value.value)
        for keyword in scope.keywords
    )


def _shields_itself(context: TreeContext, node: ast.expr) -> bool:
    """Whether a function of the project that is awaited has a shielded scope inside."""
    functions = context.functions(node.func) if isinstance(node, ast.Call) else []
    codes = [code for each in functions if (code := code_of(each))]
    return any(
        isinstance(inner, ast.Call) and _shields(inner) for code in codes for inner in code.nodes
    )


def _is_closing(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute | ast.Name)
        and (getattr(node.func, "attr", "") or getattr(node.func, "id", "")) in _CLOSING
    )
