"""Resets of a token that are not reached where the code before them raises or is cancelled.

token = current.set(request)
await handle(request)                   # Where this fails, the token is never reset.
current.reset(token)
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from logctx_lint.analysis.context import TreeContext, in_source_order
from logctx_lint.config.vocabulary import Role
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import Suspension, SuspensionOrYield, body_nodes, own_nodes

SET = "contextvars.ContextVar.set"
_HARMLESS = frozenset({Role.LOG_WRITER, Role.CLOCK})


@dataclass(frozen=True, slots=True)
class SkippedReset:
    """What may keep a reset from being reached."""

    bound: ast.stmt
    """What sets the value that then stays."""
    risk: ast.AST
    suspends: bool
    """It may be cancelled there; otherwise only an error keeps the reset from being reached."""


def skipped_reset(context: TreeContext, call: ast.Call) -> SkippedReset | None:
    """The same of a reset that no `finally` makes sure of."""
    function = context.function_of(call)
    names = [each.id for each in call.args if isinstance(each, ast.Name)]
    before = _run_before(context, call)
    bound = next((each for each in before if _binds_token(context, each, names)), None)
    if bound is None or not isinstance(function, FunctionNode):
        return None
    suspends, risks = _risks(context, function, before[before.index(bound) + 1 :])
    if not risks or _is_used_besides(function, call, names):
        return None
    return SkippedReset(bound, risks[0], suspends)


def _risks(
    context: TreeContext, function: FunctionNode, between: list[ast.stmt]
) -> tuple[bool, list[ast.AST]]:
    """What may keep the code behind some statements from running, and whether it suspends."""
    # What the block raises comes out of the `yield` of a context manager.
    risky = SuspensionOrYield if context.makes_manager(function) else Suspension
    nodes = list(own_nodes(between))
    sure = [each for each in nodes if isinstance(each, risky)]
    return bool(sure), in_source_order(sure or [e for e in nodes if _may_raise(context, e)])


def _is_used_besides(function: FunctionNode, call: ast.Call, names: list[str]) -> bool:
    """Whether another call of a function, too, is given first what one is given."""
    others = (each for each in body_nodes(function, ast.Call) if each is not call)
    return any(each.args and ast.unparse(each.args[0]) in names for each in others)


def _run_before(context: TreeContext, call: ast.Call) -> list[ast.stmt]:
    """What runs before a call that is a statement, in the same body of a function, branch or loop;
    nothing where a `with` or a `try` may see to the call."""
    statement = context.parent(call)
    block = context.parent(statement) if isinstance(statement, ast.Expr) else None
    body = block.body if isinstance(block, FunctionNode | ast.If | ast.For | ast.While) else []
    return (
        context.before(statement) if isinstance(statement, ast.stmt) and statement in body else []
    )


def _may_raise(context: TreeContext, node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and context.roles(node).isdisjoint(_HARMLESS)


def _binds_token(context: TreeContext, statement: ast.stmt, names: list[str]) -> bool:
    match statement:
        case ast.Expr(ast.Call() as value) if not names:
            # `unbind_contextvars("job")` needs no token.
            return Role.CONTEXT_TOKEN in context.roles(value) and SET not in context.names(value)
        case ast.Assign([ast.Name(name)], ast.Call() as value):
            return name in names and Role.CONTEXT_TOKEN in context.roles(value)
    return False
