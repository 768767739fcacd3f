"""Functions that are marked as cancellable."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Span
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function

_MARKER = frozenset({Role.CANCELLABLE_MARKER})


def screen(unit: Unit) -> bool:
    """Whether the unit holds a function that is marked."""
    return any(unit.file.may_play(decorator, _MARKER) for decorator, _ in _decorators(unit))


def functions(context: TreeContext) -> Iterator[tuple[ast.expr, Function]]:
    """The marked functions of a unit, each with its mark."""
    for decorator, node in _decorators(context.unit):
        function = context.unit.scopes[node].function
        if function and Role.CANCELLABLE_MARKER in context.roles(decorator):
            yield decorator, function


def place(context: TreeContext, decorator: ast.expr) -> Span:
    """Where a mark stands, with its `@`."""
    span = context.span(decorator)
    before = context.file.source.lines[span.line - 1][: span.column]
    return replace(span, column=before.rindex("@") if "@" in before else span.column)


def _decorators(unit: Unit) -> Iterator[tuple[ast.expr, FunctionNode]]:
    for statement, _ in unit.statements:
        if isinstance(statement, FunctionNode):
            for decorator in statement.decorator_list:
                yield decorator, statement
