"""Where a fix puts the import that it needs."""

from __future__ import annotations

import ast
import sys
from enum import IntEnum

from logctx_lint.analysis.context import TreeContext
from logctx_lint.findings import Edit, Span
from logctx_lint.syntax.source import Source

_LONGEST_LINE = 88
"""What Black and ruff make of a line, unless they are told otherwise."""


class Section(IntEnum):
    """The paragraphs of imports, in their usual order."""

    FUTURE = 0
    STANDARD = 1
    ABSOLUTE = 2
    RELATIVE = 3


def may_import_runtime(context: TreeContext) -> bool:
    """Whether a fix may import the reference runtime: it never adds a dependency."""
    return context.file.traits.uses_runtime


def insertion(line: int, column: int, text: str) -> Edit:
    """Insert a text at a position."""
    return Edit(Span(line, column, line, column), text)


def import_edit(source: Source, tree: ast.Module, module: str, name: str) -> Edit:
    """Import a name where isort and ruff would; behind its like where they have not sorted."""
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and _takes_names_from(statement, module):
            return _merged(source, statement, name)
    text = f"from {module} import {name}\n"
    following = _following(source, tree.body, module)
    if following is not None:
        return insertion(following.lineno, 0, text)
    place = _place(tree.body, module)
    if place is None:
        return insertion(_first_line(tree), 0, text + _gap_before(tree.body))
    if not _is_import(place) or _section(place) is not _section_of(module):
        text = f"\n{text}"  # A paragraph of its own.
    end = place.end_lineno or place.lineno
    if _is_of_later_section(tree.body, place, module):
        text = f"{text}\n"
    last = source.lines[end - 1]
    if not last.endswith(("\n", "\r")):
        return insertion(end, len(last), f"\n{text}".removesuffix("\n"))
    return insertion(end + 1, 0, text)


def _is_of_later_section(body: list[ast.stmt], place: ast.stmt, module: str) -> bool:
    """Whether the next line is an import that belongs into another paragraph."""
    following = next(iter(body[body.index(place) + 1 :]), None)
    return (
        following is not None
        and _is_import(following)
        and following.lineno == (place.end_lineno or place.lineno) + 1
        and _section(following) > _section_of(module)
        and (not _is_import(place) or _section(place) is not _section(following))
    )


def is_guarded(tree: ast.Module, module: str) -> bool:
    """Whether a package is only imported on a condition, so that it may not be there."""
    package = module.partition(".")[0]
    if any(_is_import(each) and _imports_from(each, package) for each in tree.body):
        return False
    return any(
        _is_import(inner) and _imports_from(inner, package)  # type: ignore[arg-type]
        for each in tree.body
        if isinstance(each, ast.If | ast.Try) and not _is_for_types(each)
        for inner in ast.walk(each)
    )


def _is_for_types(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test)


def _takes_names_from(statement: ast.ImportFrom, module: str) -> bool:
    names = [alias.name for alias in statement.names]
    return statement.module == module and not statement.level and "*" not in names


def _merged(source: Source, statement: ast.ImportFrom, name: str) -> Edit:
    """One more name in a statement that imports from the module already, in sorted order."""
    whole = source.lines[statement.lineno - 1]
    line, newline = whole.rstrip(), "\r\n" if whole.endswith("\r\n") else "\n"
    is_one_line = statement.end_lineno == statement.lineno and "(" not in line and "#" not in line
    if is_one_line and len(line) + len(name) + 2 > _LONGEST_LINE:
        texts = {each.name: ast.unparse(each) for each in statement.names} | {name: name}
        names = "".join(f"    {texts[each]},{newline}" for each in sorted(texts, key=_order))
        first = statement.names[0]
        span = Span(statement.lineno, first.col_offset, statement.lineno, len(line))
        return Edit(span, f"({newline}{names})")
    following = next((each for each in statement.names if _order(each.name) > _order(name)), None)
    lines = [each.lineno for each in statement.names]
    is_in_parentheses = "(" in "".join(source.lines[statement.lineno - 1 : lines[0]])
    is_one_a_line = is_in_parentheses and len(lines) > 1 and len(set(lines)) == len(lines)
    last = statement.names[-1]
    indent = f"\n{' ' * last.col_offset}" if is_one_a_line else " "
    if following:
        return insertion(following.lineno, following.col_offset, f"{name},{indent}")
    end = last.end_lineno or last.lineno, last.end_col_offset or last.col_offset
    return insertion(*end, f",{indent}{name}")


def _order(name: str) -> tuple[int, str]:
    """As isort and ruff sort names: constants, classes, and others, each by the alphabet."""
    if name.isupper() and len(name) > 1:
        return 0, name
    return (1, name) if name[:1].isupper() else (2, name)


def _following(source: Source, body: list[ast.stmt], module: str) -> ast.ImportFrom | None:
    """The import to stand before, in a section whose `from` imports are sorted."""
    section = [
        each
        for each in _imports(body)
        if isinstance(each, ast.ImportFrom) and _section(each) is _section_of(module)
    ]
    modules = [each.module or "" for each in section]
    if modules != sorted(modules):
        return None
    following = next((each for each in section if (each.module or "") > module), None)
    if following is None or _is_behind_comment(source, following):
        return None
    return following


def _is_behind_comment(source: Source, statement: ast.stmt) -> bool:
    """Whether the line above is a comment, which may be about the statement."""
    above = source.lines[statement.lineno - 2] if statement.lineno > 1 else ""
    return above.lstrip().startswith("#")


def _imports(body: list[ast.stmt]) -> list[ast.stmt]:
    """The imports at the head of a module; they may stand behind guarded ones, never inside."""
    imports: list[ast.stmt] = []
    for statement in body[1:] if body and _is_docstring(body[0]) else body:
        if _is_import(statement):
            imports.append(statement)
        elif not isinstance(statement, ast.If | ast.Try):
            break
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
