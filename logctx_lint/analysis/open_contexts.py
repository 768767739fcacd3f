"""Which log context, span or binding is open around some code, in the same function."""

from __future__ import annotations

import ast

from logctx_lint.analysis.context import TreeContext, arguments
from logctx_lint.analysis.context_managers import holds
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import own_nodes

OPENERS = frozenset({Role.CONTEXT_MANAGER, Role.TRACING_SPAN, Role.CONTEXT_BINDING})
"""What opens something that is kept in the current context."""
_BINDING = frozenset({Role.CONTEXT_BINDING})
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


def binds_constants(context: TreeContext, block: ast.expr, work: ast.expr) -> bool:
    """Whether all that a context manager binds is the same whoever starts some work in it.

    That are constants, and for a method of `self` what the object knows.
    """
    if not isinstance(block, ast.Call) or not (bound := arguments(block)):
        return False
    scope = context.scopes[block]
    if not holds(context.file, block, scope, _BINDING):
        return False
    is_own = isinstance(work, ast.Attribute) and ast.unparse(work.value) == "self"
    known = {"self"} if is_own else set()
    return not any(
        isinstance(each, ast.Call | ast.Await | ast.Yield)
        or (isinstance(each, ast.Name) and each.id not in known and _is_local(scope, each.id))
        for each in own_nodes(bound)
    )


def _is_local(scope: Scope, name: str) -> bool:
    """Whether a name is bound in the function, or in one around it."""
    inner: Scope | None = scope
    while inner is not None and inner.node is not None:
        if name in inner.bindings:
            return True
        inner = inner.parent
    return False


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
