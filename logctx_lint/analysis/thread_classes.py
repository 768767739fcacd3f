"""Classes derived from `threading.Thread`, whose `run()` runs in a thread of its own."""

from __future__ import annotations

import ast

from logctx_lint.analysis.called_code import Code, code_of
from logctx_lint.analysis.context import TreeContext
from logctx_lint.inference.types import Instance, functions_of
from logctx_lint.project.modules import Class
from logctx_lint.syntax.ast_walk import body_nodes

_THREAD = "threading.Thread"


def run_of(context: TreeContext, cls: Class) -> Code | None:
    """The code that a thread of a class derived from `threading.Thread` runs."""
    if cls.module.is_stub or _THREAD not in context.resolver.classes.names(cls):
        return None
    methods = context.resolver.classes.member(Instance(cls), "run")
    functions = functions_of(methods) if methods else []
    return code_of(functions[0]) if len(functions) == 1 else None


def thread_body(context: TreeContext) -> Code | None:
    """The code of the unit, if it is `run()` of a class derived from `threading.Thread`."""
    node, owner = context.unit.node, context.unit.scope.owner
    if not isinstance(node, ast.FunctionDef) or node.name != "run" or owner is None:
        return None
    ancestors = context.resolver.classes.ancestors(owner)
    if not any(ancestor.qualified_name == _THREAD for ancestor, _ in ancestors):
        return None
    scope = context.unit.scopes[node]
    return Code(tuple(body_nodes(node)), scope, scope.function)
