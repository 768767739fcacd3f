"""Cancellations that a handler only holds back: they are raised in the end."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.exception_handlers import (
    HandlerPaths,
    Outcome,
    caught_by,
    is_harmless,
)
from logctx_lint.config.vocabulary import Role
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import own_nodes

_RAISING = frozenset({Outcome.LETS_OUT, Outcome.CONVERTS, Outcome.EXITS})
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_GOING_ON = frozenset({Outcome.FALLS_THROUGH, Outcome.CONTINUES})


def is_raised_later(
    context: TreeContext, node: ast.Try, handler: ast.ExceptHandler, paths: HandlerPaths
) -> bool:
    """Whether what a handler catches is raised behind the `try` on every way."""
    if not is_harmless(paths.outcomes - _GOING_ON):
        return False
    if _is_collected_and_raised(context, node, handler, paths):
        return True
    if Outcome.CONTINUES in paths.outcomes:
        return False
    if any(_raises_cancelled(context, each) for each in context.behind(node)):
        return True
    by_name = caught_by(context, handler.type).by_name
    if not by_name and any(isinstance(each, _LOOPS) for each in context.around(node)):
        # It is kept in place of other failures, and the loop tries the next.
        return False
    return _is_kept_and_raised(context, node, handler)


def _raises_cancelled(context: TreeContext, statement: ast.stmt) -> bool:
    raised = statement.exc if isinstance(statement, ast.Raise) else None
    return raised is not None and Role.CANCELLED_ERROR in context.roles(raised)


def _is_kept_and_raised(context: TreeContext, node: ast.Try, handler: ast.ExceptHandler) -> bool:
    """`failure = e`, and somewhere `raise failure`."""
    kept = _names_kept(handler)
    function = context.function_of(node)
    return (
        bool(kept)
        and isinstance(function, FunctionNode)
        and any(
            isinstance(inner, ast.Raise)
            and isinstance(inner.exc, ast.Name)
            and inner.exc.id in kept
            for inner in own_nodes(function.body)
        )
    )


def _names_kept(handler: ast.ExceptHandler) -> set[str]:
    """The names under which a handler keeps the exception: of `x = e` and `x = x or e`."""
    return {
        target.id
        for inner in own_nodes(handler.body)
        if isinstance(inner, ast.Assign) and handler.name in _names_in(inner.value)
        for target in inner.targets
        if isinstance(target, ast.Name)
    }


def _is_collected_and_raised(
    context: TreeContext, node: ast.Try, handler: ast.ExceptHandler, paths: HandlerPaths
) -> bool:
    """`errors.append(e)`, and behind the loop `if errors:` with a `raise` on each of its ways."""
    lists = set(_lists_appended_to(handler))
    function = context.function_of(node)
    if not lists or not isinstance(function, FunctionNode):
        return False
    return any(
        _raises_one_of(statement, lists, paths)
        for outer in (node, *context.around(node))
        if outer is not function
        for statement in context.behind(outer)
    )


def _lists_appended_to(handler: ast.ExceptHandler) -> Iterator[str]:
    for inner in own_nodes(handler.body):
        match inner:
            case ast.Call(ast.Attribute(ast.Name(name), "append"), [argument], []):
                if handler.name in _names_in(argument):
                    yield name


def _raises_one_of(statement: ast.stmt, lists: set[str], paths: HandlerPaths) -> bool:
    """Whether a statement raises what one of these lists holds, if it holds anything."""
    match statement:
        case ast.If(test, body):
            if not lists & _names_in(test) or not paths.of(body) <= _RAISING:
                return False
            raising = body
        case ast.Raise():
            raising = [statement]
        case _:
            return False
    return any(
        isinstance(inner, ast.Raise) and inner.exc and lists & _names_in(inner.exc)
        for inner in own_nodes(raising)
    )


def _names_in(node: ast.expr) -> set[str]:
    return {inner.id for inner in own_nodes([node]) if isinstance(inner, ast.Name)}
