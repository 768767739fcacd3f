"""Attributes that may hold a cancellation when they are raised, and where that came from.

async def read(self):
    try:
        await self._ready.wait()
    except CancelledError:
        raise self._closed_by      # Whatever `close(error)` was given, a cancellation perhaps.

They are handled by name where the code behind the handler asks for the class of what it has kept.
"""

from __future__ import annotations

import ast
import re

from logctx_lint.analysis.cancellation.cancellation_state import Code, kept_as, key_of
from logctx_lint.analysis.exception_handlers import Cancellation, caught, is_cancelled
from logctx_lint.analysis.possible_values import possible_values
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode, parameters_of
from logctx_lint.syntax.ast_walk import body_nodes, is_name, own_nodes

_WIDE = frozenset({"Any", "BaseException", "object"})
"""What a parameter may be declared as, and hold a cancellation."""

_DECIDING = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Await)

_ITS_OWN_BASE = Cancellation.ASYNCIO | Cancellation.TRIO
"""Cancellations that are no `Exception`: a clause that catches them is meant to."""


def may_hold_cancellation(code: Code, raised: ast.expr) -> bool:
    """Whether what is raised may be a cancelled error, or an attribute that is set to one."""
    resolver, vocabulary = code.file.resolver, code.file.vocabulary
    for value in possible_values(raised):
        if is_cancelled(resolver, vocabulary, value, code.scope):
            return True
        receiver, _, name = key_of(value).rpartition(".")
        owner = code.scope.enclosing_class
        if receiver == "self" and owner is not None:
            for kept, node, scope in code.file.summaries.kept_in(owner, name):
                if any(_may_be_one(code, each, node, scope) for each in possible_values(kept)):
                    return True
    return False


def is_told_apart(code: Code, handler: ast.ExceptHandler, statement: ast.AST) -> bool:
    """Whether what is done behind a handler depends on its error, kept, being a cancelled one.

    except BaseException as error:
        failure = error
    finally:
        state = "stopped" if isinstance(failure, CancelledError) else "ended"
    """
    kept = kept_as(handler.name, handler.body)
    final: list[ast.stmt] = getattr(statement, "finalbody", [])
    nodes = list(body_nodes(code.node)) if kept and handler.name else []
    inside = set(own_nodes([statement])) - set(own_nodes(final)) if nodes else set()
    end = handler.end_lineno or handler.lineno
    return any(
        _chooses(each) and each not in inside and getattr(each, "lineno", 0) > end
        for each in nodes
        for test in [getattr(each, "test", None)]
        if isinstance(test, ast.expr) and _asks_for_cancelled(code, test, kept)
    )


def _chooses(node: ast.AST) -> bool:
    """Whether a condition decides on more than what is logged."""
    match node:
        case ast.IfExp():
            return True
        case ast.If(_, body, orelse):
            return any(isinstance(each, _DECIDING) for each in own_nodes([*body, *orelse]))
    return False


def _asks_for_cancelled(code: Code, test: ast.expr, kept: set[str]) -> bool:
    return any(
        code.caught(each.args[1]).named and key_of(each.args[0]) in kept
        for each in own_nodes([test], ast.Call)
        if is_name(each.func, "isinstance") and len(each.args) == 2
    )


def _may_be_one(code: Code, value: ast.expr, node: FunctionNode, scope: Scope) -> bool:
    resolver, vocabulary = code.file.resolver, code.file.vocabulary
    if not isinstance(value, ast.Name):
        return is_cancelled(resolver, vocabulary, value, scope)
    for parameter, _, kind in parameters_of(node.args):
        if parameter.arg == value.id and not kind.startswith("*"):
            declared = ast.unparse(parameter.annotation) if parameter.annotation else ""
            return not declared or not _WIDE.isdisjoint(re.findall(r"\w+", declared))
    return any(
        isinstance(each, ast.ExceptHandler)
        and each.name == value.id
        and any(inner is value for inner in body_nodes(each))
        and (
            each.type is None
            or bool(caught(resolver, vocabulary, each.type, scope).cancellation & _ITS_OWN_BASE)
        )
        for each in body_nodes(node)
    )
