"""Which log context, span or binding is open around some code, in the same function."""

from __future__ import annotations

import ast

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.context_managers import holds
from logctx_lint.config.vocabulary import Role
from logctx_lint.project.facts import FunctionNode

OPENERS = frozenset({Role.CONTEXT_MANAGER, Role.TRACING_SPAN, Role.CONTEXT_BINDING})
"""What opens something that is kept in the current context."""
_UNDOING = frozenset({Role.TOKEN_RESETTER, Role.CONTEXT_UNBINDER})


def open_around(context: TreeContext, node: ast.AST) -> ast.expr | None:
    """The log context or span that is open around a node."""
    for outer in context.around(node):
        if isinstance(outer, FunctionNode):
            return None
        if isinstance(outer, ast.With | ast.AsyncWith):
            for item in outer.items:
                value = item.context_expr
                if holds(context.file, value, context.scopes[value], OPENERS):
                    return value
    return None


def bound_before(context: TreeContext, node: ast.AST) -> ast.Call | None:
    """What the function has bound to the current context before, in a block around a node."""
    inner = node
    for outer in context.around(node):
        if isinstance(inner, ast.stmt):
            for statement in reversed(context.before(inner)):
                call = getattr(statement, "value", None)
                if isinstance(call, ast.Call):
                    roles = context.roles(call)
                    if roles & _UNDOING:
                        return None
                    if Role.CONTEXT_TOKEN in roles:
                        return call
        if isinstance(outer, FunctionNode):
            return None
        inner = outer
    return None
