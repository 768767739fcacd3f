"""Functions that are marked as cancellable."""

from __future__ import annotations

import ast

from logctx_lint.screen import Unit
from logctx_lint.vocabulary import Role

MARKER = frozenset({Role.CANCELLABLE_MARKER})


def screen(unit: Unit) -> bool:
    """Whether the unit holds a function that is marked."""
    return any(
        unit.file.may_play(decorator, MARKER)
        for statement, _ in unit.statements
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
        for decorator in statement.decorator_list
    )
