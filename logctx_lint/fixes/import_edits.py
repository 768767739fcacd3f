"""Where a fix puts the import that it needs."""

from __future__ import annotations

import ast
import sys
from enum import IntEnum
from typing import Any

from logctx_lint.analysis.base_context import Context
from logctx_lint.findings import Edit, Span
from logctx_lint.syntax.source import Source

_LONGEST_LINE = 88


class Section(IntEnum):
    """The paragraphs of imports, in their usual order."""

    FUTURE = 0
    STANDARD = 1
    ABSOLUTE = 2
    RELATIVE = 3


def may_import_runtime(context: Context[Any]) -> bool:
    """Whether a fix may import the reference runtime: it never adds a dependency."""
    return context.file.traits.uses_runtime


def insertion(line: int, column: int, text: str) -> Edit:
    return Edit(Span(line, column, line, column), text)


def import_edit(source: Source, tree: ast.Module, module: str, name: str) -> Edit:
    """Import a name with others of its module; else behind its like.

    The like are imports of the same package, else of the same section, else of those above.
    """
    merged = _merged(source, tree.body, module, name)
    if merged is not None:
        return merged
    text = f"from {module} import {name}\n"
    place = _place(tree.body, module)
    if place is None:
        return insertion(_first_line(tree), 0, text + _gap_before(tree.body))
    if not _is_import(place) or _section(place) is not _section_of(module):
        text = f"\n{text}"  # A paragraph of its own.
    end = place.end_lineno or place.lineno
    last = source.lines[end - 1]
    if not last.endswith(("\n", "\r")):
        return insertion(end, len(last), f"\n{text}".removesuffix("\n"))
    return insertion(end + 1, 0, text)


def _merged(source: Source, body: list[ast.stmt], module: str, name: str) -> Edit | None:
    """Put a name among those that the file imports from a module, sorted as they are."""
    for statement in reversed(_imports(body)):
        if not isinstance(statement, ast.ImportFrom) or statement.level:
            continue
        if statement.module != module or statement.names[0].name == "*":
            continue
        aliases = statement.names
        keys = [_sort_key(alias.name) for alias in aliases]
        behind = [alias for alias in aliases if _sort_key(alias.name) > _sort_key(name)]
        if keys != sorted(keys) or not behind:
            return _with_last(source, aliases[-1], name)
        span = source.span(behind[0])
        line = source.lines[span.line - 1]
        indent = line[: span.column]
        text = f"{name}, " if indent.strip() else f"{name},\n{indent}"
        return _if_short(line, insertion(span.line, span.column, text))
    return None


def _with_last(source: Source, last: ast.alias, name: str) -> Edit | None:
    span = source.span(last)
    line = source.lines[span.end_line - 1]
    indent = line[: span.column]
    text = f", {name}" if indent.strip() else f",\n{indent}{name}"
    return _if_short(line, insertion(span.end_line, span.end_column, text))


def _if_short(line: str, edit: Edit) -> Edit | None:
    """None where a line would become too long for anybody's taste."""
    fits = "\n" in edit.text or len(line.rstrip()) + len(edit.text) <= _LONGEST_LINE
    return edit if fits else None


def _sort_key(name: str) -> tuple[int, str, str]:
    """Constants, classes, functions, each by name, as isort and ruff sort them."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name.lower(), name


def _imports(body: list[ast.stmt]) -> list[ast.stmt]:
    """The imports at the top of a module."""
    imports: list[ast.stmt] = []
    for statement in body[1:] if body and _is_docstring(body[0]) else body:
        if _is_import(statement):
            imports.append(statement)
        elif not isinstance(statement, ast.If | ast.Try):
            break  # An import may stand behind guarded ones, but never inside.
    return imports


def _place(body: list[ast.stmt], module: str) -> ast.stmt | None:
    """The statement to stand behind: an import, or else the docstring."""
    docstring = body[0] if body and _is_docstring(body[0]) else None
    imports = _imports(body)
    package, section = module.partition(".")[0], _section_of(module)
    like = [each for each in imports if _imports_from(each, package)]
    above = [each for each in imports if _section(each) <= section]
    if like:
        return like[-1]
    return max(reversed(above), key=_section) if above else docstring


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _is_import(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Import | ast.ImportFrom)


def _section(statement: ast.stmt) -> Section:
    if isinstance(statement, ast.ImportFrom):
        return Section.RELATIVE if statement.level else _section_of(statement.module or "")
    assert isinstance(statement, ast.Import)
    return _section_of(statement.names[0].name)


def _section_of(module: str) -> Section:
    package = module.partition(".")[0]
    if package == "__future__":
        return Section.FUTURE
    return Section.STANDARD if package in sys.stdlib_module_names else Section.ABSOLUTE


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
