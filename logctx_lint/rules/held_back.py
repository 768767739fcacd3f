"""Cancellations that a handler only holds back: they are raised in the end."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from logctx_lint.rules.context import RuleContext
from logctx_lint.rules.handlers import Handler, HandlerPaths, Outcome, caught_by, is_harmless
from logctx_lint.rules.nodes import own_code
from logctx_lint.vocabulary import Role

Try = cst.Try | cst.TryStar
_RAISING = frozenset({Outcome.LETS_OUT, Outcome.CONVERTS, Outcome.EXITS})
_GOING_ON = frozenset({Outcome.FALLS_THROUGH, Outcome.CONTINUES})


def is_raised_later(context: RuleContext, node: Try, handler: Handler, paths: HandlerPaths) -> bool:
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
    if not by_name and any(isinstance(each, cst.For | cst.While) for each in context.around(node)):
        # It is kept in place of other failures, and the loop tries the next.
        return False
    return _is_kept_and_raised(context, node, handler)


def _raises_cancelled(context: RuleContext, statement: cst.CSTNode) -> bool:
    match statement:
        case cst.SimpleStatementLine(body=[cst.Raise(exc=cst.BaseExpression() as raised), *_]):
            return Role.CANCELLED_ERROR in context.roles(raised)
    return False


def _is_kept_and_raised(context: RuleContext, node: Try, handler: Handler) -> bool:
    """`failure = e`, and somewhere `raise failure`."""
    kept = _names_kept(handler)
    function = context.function_of(node)
    return (
        bool(kept)
        and isinstance(function, cst.FunctionDef)
        and any(
            isinstance(inner, cst.Raise)
            and isinstance(inner.exc, cst.Name)
            and inner.exc.value in kept
            for inner in own_code(function.body)
        )
    )


def _names_kept(handler: Handler) -> set[str]:
    """The names under which a handler keeps the exception: of `x = e` and `x = x or e`."""
    caught = _caught_name(handler)
    return {
        target.target.value
        for inner in own_code(handler.body)
        if isinstance(inner, cst.Assign) and caught in _names_in(inner.value)
        for target in inner.targets
        if isinstance(target.target, cst.Name)
    }


def _is_collected_and_raised(
    context: RuleContext, node: Try, handler: Handler, paths: HandlerPaths
) -> bool:
    """`errors.append(e)`, and behind the loop `if errors:` with a `raise` on each of its ways."""
    lists = set(_lists_appended_to(handler))
    function = context.function_of(node)
    if not lists or not isinstance(function, cst.FunctionDef):
        return False
    return any(
        _raises_one_of(statement, lists, paths)
        for outer in (node, *context.around(node))
        if outer is not function
        for statement in context.behind(outer)
    )


def _lists_appended_to(handler: Handler) -> Iterator[str]:
    caught = _caught_name(handler)
    for inner in own_code(handler.body):
        match inner:
            case cst.Call(
                func=cst.Attribute(value=cst.Name(value=name), attr=cst.Name(value="append")),
                args=[argument],
            ) if caught in _names_in(argument.value):
                yield name


def _raises_one_of(statement: cst.CSTNode, lists: set[str], paths: HandlerPaths) -> bool:
    """Whether a statement raises what one of these lists holds, if it holds anything."""
    match statement:
        case cst.If(test=test, body=body):
            if not lists & _names_in(test) or not paths.of(body) <= _RAISING:
                return False
            raising: cst.CSTNode = body
        case cst.SimpleStatementLine(body=[cst.Raise(), *_]):
            raising = statement
        case _:
            return False
    return any(
        isinstance(inner, cst.Raise) and inner.exc and lists & _names_in(inner.exc)
        for inner in own_code(raising)
    )


def _caught_name(handler: Handler) -> str:
    name = handler.name.name if handler.name else None
    return name.value if isinstance(name, cst.Name) else ""


def _names_in(node: cst.CSTNode) -> set[str]:
    return {inner.value for inner in own_code(node) if isinstance(inner, cst.Name)}
