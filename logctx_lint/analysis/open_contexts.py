"""Which log context, span or binding is open around a piece of code, in the same function."""

from __future__ import annotations

import ast

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.log_contexts import plays
from logctx_lint.config.vocabulary import Role
from logctx_lint.project.facts import FunctionNode

OPENERS = frozenset({Role.CONTEXT_MANAGER, Role.TRACING_SPAN, Role.CONTEXT_BINDING})
"""What opens something that is kept in the current context."""


def open_around(context: TreeContext, node: ast.AST) -> ast.expr | None:
    """The log context or span that is open around a node."""
    for outer in context.around(node):
        if isinstance(outer, FunctionNode):
            return None
        if isinstance(outer, ast.With | ast.AsyncWith):
            for item in outer.items:
                value = item.context_expr
                if plays(context.file, value, context.scopes[value], OPENERS):
                    return value
    return None
