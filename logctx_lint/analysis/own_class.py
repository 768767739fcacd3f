"""The class that a method belongs to, and its other methods."""

from __future__ import annotations

import ast

from logctx_lint.analysis.context import TreeContext
from logctx_lint.project.facts import FunctionNode


def class_node(context: TreeContext) -> ast.ClassDef | None:
    """Its tree; None where the unit is no method."""
    owner = context.unit.scope.owner
    return context.file.class_of.get(context.unit.node) if owner else None


def own_methods(context: TreeContext) -> list[FunctionNode]:
    """Its methods, the unit among them, in the order in which they are written."""
    cls = class_node(context)
    return [each for each in cls.body if isinstance(each, FunctionNode)] if cls else []
