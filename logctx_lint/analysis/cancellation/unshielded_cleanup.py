"""Clean-up that awaits inside an anyio or trio scope which is already cancelled.

There a cancellation lasts: what is awaited in the cancelled scope raises it anew as soon as it has
to wait, in `finally` blocks and handlers, too, so that their clean-up is cut short unless a scope
inside of them shields it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from logctx_lint.analysis.context import TreeContext, as_try, in_source_order
from logctx_lint.analysis.exception_handlers import Cancellation, caught_by
from logctx_lint.analysis.shields import (
    is_in_shield,
    is_shield,
    is_shielding,
    opens_shield,
    shielded_by_hand,
)
from logctx_lint.analysis.surroundings import outwards, within
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.types import FunctionType, members_of
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import body_nodes, last_name, own_nodes

_CLOSING = frozenset({"aclose", "aclose_forcefully", "checkpoint", "cancel_shielded_checkpoint"})
"""What does its work even where it is cancelled, or is there to be cancelled."""
_STATES = frozenset({"cancel_called", "cancelled_caught"})
"""Attributes of a scope that say whether it is cancelled."""
_LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)


@dataclass(frozen=True, slots=True)
class Unshielded:
    """An `await` of clean-up that is cancelled with the scope that it stands in."""

    node: ast.Await
    scope: ast.With | None
    """The scope that may be cancelled; None where one surely is."""


def unshielded(context: TreeContext, function: ast.AsyncFunctionDef) -> Iterator[Unshielded]:
    """The first `await` of each block of a function that only runs in a cancelled scope."""
    for node in body_nodes(function):
        attempt = as_try(node)
        if attempt is None:
            continue
        scopes = list(_scopes_around(context, attempt))
        for handler in attempt.handlers:
            if handler.type is not None and _is_of_scopes(context, handler.type):
                exposed = _unshielded_in(context, handler, handler.body, scopes)
                yield from (Unshielded(each, None) for each in islice(exposed, 1))
        is_ended = bool(scopes) or (
            any(own_nodes(attempt.finalbody, ast.Await))
            and _is_of_cancelled_group(context, function)
        )
        for each in _unshielded_in(context, attempt, attempt.finalbody, scopes) if is_ended else ():
            if not any(_is_reached_uncancelled(context, attempt, each, item) for _, item in scopes):
                yield Unshielded(each, scopes[0][0] if scopes else None)
                break


def _unshielded_in(
    context: TreeContext,
    around: ast.Try | ast.ExceptHandler,
    body: list[ast.stmt],
    scopes: list[tuple[ast.With, ast.withitem]],
) -> Iterator[ast.Await]:
    """The awaits of some clean-up that no shield protects."""
    exposed = _exposed(context, around, body)
    return (each for each in exposed if not _is_shielded_by_hand(body, each, scopes))


def _is_of_scopes(context: TreeContext, clause: ast.expr) -> bool:
    return bool(caught_by(context, clause).named & Cancellation.TRIO)


def _scopes_around(
    context: TreeContext, attempt: ast.Try
) -> Iterator[tuple[ast.With, ast.withitem]]:
    """The scopes in the same function that end a `try` when they are cancelled or out of time, the
    innermost first."""
    for outer, _ in within(context, attempt):
        if isinstance(outer, ast.With):
            for item in reversed(outer.items):
                if Role.CANCEL_SCOPE in context.roles(item.context_expr) and _may_end(item):
                    yield outer, item


def _may_end(item: ast.withitem) -> bool:
    """Whether a scope has a time limit, or is at hand to be cancelled, and is not shielded only."""
    entered = item.context_expr
    return _has_time_limit(entered) or (
        item.optional_vars is not None
        and not (isinstance(entered, ast.Call) and is_shielding(entered))
    )


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
        if is_own and any(_cancels(node, group) for node in body_nodes(where.node)):
            return True
    return False


def _cancels(node: ast.AST, group: str) -> bool:
    match node:
        case ast.Call(ast.Attribute(ast.Attribute(ast.Name(name), "cancel_scope"), "cancel")):
            return name == group
    return False


def _exposed(
    context: TreeContext, below: ast.Try | ast.ExceptHandler, block: list[ast.stmt]
) -> Iterator[ast.Await]:
    """What a block awaits, up to the first that is shielded, or has a shield inside."""
    awaits = own_nodes(block, ast.Await)
    for each in in_source_order(awaits):
        # A scope around the `try` may be the one that is cancelled.
        if is_in_shield(context, each, below) or _is_closing(each.value):
            continue
        called = each.value if isinstance(each.value, ast.Call) else None
        if called is not None and (is_shield(context, called) or opens_shield(context, called)):
            return
        yield each


def _is_shielded_by_hand(
    block: list[ast.stmt], node: ast.Await, scopes: list[tuple[ast.With, ast.withitem]]
) -> bool:
    """Whether clean-up shields a scope around its `try` against what comes from outside; its own
    time goes on."""
    shielded = set(shielded_by_hand(own_nodes(block), node))
    for _, item in scopes:
        if _has_time_limit(item.context_expr):
            return False
        if item.optional_vars is not None and ast.unparse(item.optional_vars) in shielded:
            return True
    return False


def _has_time_limit(entered: ast.expr) -> bool:
    return isinstance(entered, ast.Call) and (
        bool(entered.args) or any(each.arg != "shield" for each in entered.keywords)
    )


def _is_reached_uncancelled(
    context: TreeContext, attempt: ast.Try, node: ast.Await, item: ast.withitem
) -> bool:
    """Whether clean-up asks first: `if not scope.cancel_called:`, or leaves where it is."""
    if item.optional_vars is None:
        return False
    scope = ast.unparse(item.optional_vars)
    for outer, inner in outwards(context, node):
        if isinstance(inner, ast.stmt) and any(
            isinstance(each, ast.If)
            and isinstance(each.body[-1], _LEAVING)
            and _denies(each.test, scope, holds=False)
            for each in context.before(inner)
        ):
            return True
        if outer is attempt:
            return False
        if isinstance(outer, ast.If) and (
            (inner in outer.body and _denies(outer.test, scope, holds=True))
            or (inner in outer.orelse and _denies(outer.test, scope, holds=False))
        ):
            return True
    return False


def _denies(test: ast.expr, scope: str, *, holds: bool) -> bool:
    """Whether a scope is not cancelled where a condition holds, or does not hold."""
    match test:
        case ast.UnaryOp(ast.Not(), operand):
            return _denies(operand, scope, holds=not holds)
        case ast.BoolOp(operator, values) if isinstance(operator, ast.And) is holds:
            return any(_denies(each, scope, holds=holds) for each in values)
        case ast.Attribute(asked, state):
            return not holds and state in _STATES and ast.unparse(asked) == scope
    return False


def _is_closing(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute | ast.Name)
        and (getattr(node.func, "attr", "") or getattr(node.func, "id", "")) in _CLOSING
    )
