"""Where a fix puts the import that it needs."""

from __future__ import annotations

import ast

from logctx_lint.findings import Edit, Span
from logctx_lint.source import Source


def insertion(line: int, column: int, text: str) -> Edit:
    return Edit(Span(line, column, line, column), text)


def import_edit(source: Source, tree: ast.Module, module: str, name: str) -> Edit:
    """Import a name behind the last import of the same top-level package, else the last one."""
    text = f"from {module} import {name}\n"
    place = _place(tree.body, module.partition(".")[0])
    if place is None:
        return insertion(_first_line(tree), 0, text + _gap_before(tree.body))
    if isinstance(place, ast.Expr) or _imports_from(place, "__future__"):
        text = f"\n{text}"  # A paragraph of its own.
    end = place.end_lineno or place.lineno
    last = source.lines[end - 1]
    if not last.endswith(("\n", "\r")):
        return insertion(end, len(last), f"\n{text}".removesuffix("\n"))
    return insertion(end + 1, 0, text)


def _place(body: list[ast.stmt], package: str) -> ast.stmt | None:
    """The statement to stand behind: an import, or else the docstring."""
    place: ast.stmt | None = None
    for index, statement in enumerate(body):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            if not (place and _imports_from(place, package)) or _imports_from(statement, package):
                place = statement
        elif index == 0 and _is_docstring(statement):
            place = statement
        elif not isinstance(statement, ast.If | ast.Try):
            break  # Imports may stand behind guarded ones, but never inside.
    return place


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _imports_from(statement: ast.stmt, package: str) -> bool:
    if isinstance(statement, ast.ImportFrom):
        return (statement.module or "").partition(".")[0] == package and not statement.level
    return isinstance(statement, ast.Import) and any(
        alias.name.partition(".")[0] == package for alias in statement.names
    )


def _first_line(tree: ast.Module) -> int:
    if not tree.body:
        return 1
    first = tree.body[0]
    decorators = getattr(first, "decorator_list", None)
    return decorators[0].lineno if decorators else first.lineno


def _gap_before(body: list[ast.stmt]) -> str:
    is_definition = body and isinstance(
        body[0], ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    )
    return "\n\n" if is_definition else "\n"
