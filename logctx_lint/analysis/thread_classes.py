"""Classes derived from `threading.Thread`, whose `run()` runs in a thread of its own."""

from __future__ import annotations

import ast

from logctx_lint.analysis.called_code import Code
from logctx_lint.analysis.context import TreeContext
from logctx_lint.syntax.ast_walk import body_nodes


def thread_body(context: TreeContext) -> Code | None:
    """The code of the unit, if it is `run()` of a class derived from `threading.Thread`."""
    node, owner = context.unit.node, context.unit.scope.owner
    if not isinstance(node, ast.FunctionDef) or node.name != "run" or owner is None:
        return None
    ancestors = context.resolver.classes.ancestors(owner)
    if not any(ancestor.qualified_name == "threading.Thread" for ancestor, _ in ancestors):
        return None
    scope = context.unit.scopes[node]
    return Code(tuple(body_nodes(node)), scope, scope.function)
