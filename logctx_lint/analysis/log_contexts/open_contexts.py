"""Which log context, span or binding is open around some code, in its function or in a caller."""

from __future__ import annotations

import ast

from logctx_lint.analysis.called_code import outermost
from logctx_lint.analysis.context import TreeContext, arguments
from logctx_lint.analysis.log_contexts.context_managers import holds
from logctx_lint.analysis.surroundings import within
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.types import FunctionType, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, own_nodes

OPENERS = frozenset({Role.CONTEXT_MANAGER, Role.TRACING_SPAN, Role.CONTEXT_BINDING})
"""What opens something that is kept in the current context."""
LOGGING = OPENERS - {Role.TRACING_SPAN}
_BINDING = frozenset({Role.CONTEXT_BINDING})
_UNDOING = frozenset({Role.TOKEN_RESETTER, Role.CONTEXT_UNBINDER})


def open_around(context: TreeContext, node: ast.AST) -> ast.expr | None:
    """The log context or span that is open around a node."""
    for outer, _ in within(context, node):
        for item in outer.items if isinstance(outer, ast.With | ast.AsyncWith) else ():
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


def open_around_callers(context: TreeContext, function: Function) -> ast.expr | None:
    """The log context that is open around a call of a function, in one of its callers."""
    file = context.file
    for call, scope in file.resolver.references.calls(function.name, function.module):
        outer = outermost(scope)
        # Cheap first: is there any block?
        blocks = [
            (node, item.context_expr)
            for node in (all_nodes(outer) if outer else ())
            if isinstance(node, ast.With | ast.AsyncWith) and node.lineno < call.lineno
            for item in node.items
        ]
        for block, value in blocks:
            if call not in body_nodes(block) or not holds(file, value, scope, LOGGING):
                continue
            called = members_of(file.resolver.type_of(call.func, scope))
            if any(isinstance(each, FunctionType) and each.function == function for each in called):
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
