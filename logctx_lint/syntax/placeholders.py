"""Placeholder bodies: `...`, `pass`, `raise NotImplementedError`."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from enum import Enum

from logctx_lint.syntax.ast_walk import last_name


class BodyKind(Enum):
    """What a body is there for, as far as its statements alone tell."""

    CODE = "code"
    EMPTY = "empty"
    ASKING = "asking"
    """It does nothing but ask to be overridden."""
    RAISING = "raising"
    """It raises before it does anything."""


def kind_of(body: Iterable[ast.stmt]) -> BodyKind:
    """Whether a body does anything."""
    done = statements(body)
    if not done:
        return BodyKind.EMPTY
    if len(done) == 1 and asks_for_override(done):
        return BodyKind.ASKING
    return BodyKind.RAISING if isinstance(done[0], ast.Raise) else BodyKind.CODE


def statements(body: Iterable[ast.stmt]) -> list[ast.stmt]:
    """What a body does: all of it but the docstring, `pass` and `...`."""
    return [each for each in body if not _says_nothing(each)]


def asks_for_override(body: Iterable[ast.stmt]) -> bool:
    """Whether a statement of a body raises `NotImplementedError`, whatever stands before it."""
    return any(isinstance(each, ast.Raise) and _is_not_implemented(each.exc) for each in body)


def _is_not_implemented(raised: ast.expr | None) -> bool:
    error = raised.func if isinstance(raised, ast.Call) else raised
    return error is not None and last_name(error) == "NotImplementedError"


def _says_nothing(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )
