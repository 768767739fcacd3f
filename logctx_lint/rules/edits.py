"""Edits that fixes are made of: spans of the original text, never a printed tree."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import libcst as cst

from logctx_lint.findings import Applicability, Edit, Fix, Span
from logctx_lint.project.facts import ImportFacts, imported_names
from logctx_lint.project.types import External, Kind, ModuleType
from logctx_lint.rules.context import RuleContext
from logctx_lint.vocabulary import Role

_RUNTIME = ("logctx_lint.runtime", "logctx_lint.runtime.tasks")


@dataclass(frozen=True, slots=True)
class Helper:
    """A function that a fix uses: how to call it here, and the import that this needs."""

    text: str
    imports: tuple[Edit, ...] = ()
    is_new: bool = False
    """The project does not have it yet: it comes from the reference runtime."""

    @property
    def applicability(self) -> Applicability:
        """What a fix may at best be: a new dependency is for a person to decide."""
        return Applicability.UNSAFE if self.is_new else Applicability.SAFE


def insertion(line: int, column: int, text: str) -> Edit:
    return Edit(Span(line, column, line, column), text)


def before(context: RuleContext, node: cst.CSTNode, text: str) -> Edit:
    span = context.span(node)
    return insertion(span.line, span.column, text)


def after(context: RuleContext, node: cst.CSTNode, text: str) -> Edit:
    span = context.span(node)
    return insertion(span.end_line, span.end_column, text)


def wrapped(context: RuleContext, node: cst.BaseExpression, function: str) -> tuple[Edit, ...]:
    """`node` as the only argument of a call."""
    return before(context, node, f"{function}("), after(context, node, ")")


def passed_on(context: RuleContext, call: cst.Call, function: str) -> tuple[Edit, ...]:
    """`f(x)` becomes `function(f, x)`; comments and line breaks stay."""
    func = context.span(call.func)
    line, column = func.end_line, func.end_column
    # Parentheses around the callee, then white space, then the one that opens the arguments.
    column += len(call.func.rpar) + len(context.module.code_for_node(call.whitespace_after_func))
    opening = Edit(Span(line, column, line, column + 1), ", " if call.args else "")
    return before(context, call, f"{function}("), opening


def await_fix(context: RuleContext, call: cst.BaseExpression, *, by_yield: bool) -> Fix:
    """Await a call where it stands (`yield` it under `@inlineCallbacks`)."""
    if not by_yield:
        return Fix("Await it", Applicability.UNSAFE, (before(context, call, "await "),))
    if isinstance(context.parent(call), cst.Expr | cst.Assign):
        edits: tuple[Edit, ...] = (before(context, call, "yield "),)
    else:
        edits = before(context, call, "(yield "), after(context, call, ")")
    return Fix("Yield it", Applicability.UNSAFE, edits)


def background_fix(context: RuleContext, call: cst.Call, helper: Helper | None) -> tuple[Fix, ...]:
    """Start a call with the project's background starter."""
    if helper is None or call.func.lpar:
        return ()
    edits = (*passed_on(context, call, helper.text), *helper.imports)
    return (Fix(f"Start it with {helper.text}()", Applicability.UNSAFE, edits),)


def background_starter(context: RuleContext, kind: Kind) -> Helper | None:
    """The function that starts work of this kind in the background."""
    if context.file.traits.uses_twisted or kind is Kind.DEFERRED:
        return helper(
            context,
            Role.BACKGROUND_STARTER,
            lambda name: name.endswith("run_in_background") and ".tasks." not in name,
        )
    return helper(context, Role.BACKGROUND_STARTER, lambda name: ".tasks." in name)


def helper(
    context: RuleContext, role: Role, accepts: Callable[[str], bool] = lambda name: True
) -> Helper | None:
    """The function of a role as this file can call it.

    The one that the file imports already; else the first that the project has; else the
    reference runtime's. `accepts` chooses among the role's qualified names.
    """
    found = _imported(context, role, accepts)
    if found:
        return Helper(found)
    resolver, module = context.resolver, context.file.module
    for name in context.file.vocabulary.names_of(role):
        home, _, attribute = name.rpartition(".")
        if not accepts(name) or attribute in _module_names(context):
            continue
        is_new = home in _RUNTIME
        target = resolver.modules.find(home, module.root)
        is_there = target is not None and resolver.definitions.member(target, attribute)
        if is_new or (is_there and (not target.is_stub or _is_library(home))):  # type: ignore[union-attr]
            text = f"from {home} import {attribute}"
            return Helper(attribute, (_import_edit(context, text),), is_new)
    return None


def _is_library(module: str) -> bool:
    """Known from a stub, and there wherever this code runs."""
    return module.startswith(("twisted.", "asyncio"))


def _imported(context: RuleContext, role: Role, accepts: Callable[[str], bool]) -> str | None:
    """How a top-level import of this file names a function of the role."""
    definitions, module = context.resolver.definitions, context.file.module
    wanted = {name for name in context.file.vocabulary.names_of(role) if accepts(name)}
    for local, imported in _top_level_imports(context.file.tree):
        definition, names = definitions.imported(module, imported)
        if wanted & set(names) or _plays(context, role, names, accepts):
            return local
        if isinstance(definition, ModuleType | External):
            for name in wanted:
                home, _, attribute = name.rpartition(".")
                if home in names:
                    return f"{local}.{attribute}"
    return None


def _plays(
    context: RuleContext, role: Role, names: tuple[str, ...], accepts: Callable[[str], bool]
) -> bool:
    """Whether names have a role that a glob gives them."""
    return any(accepts(name) and role in context.file.vocabulary.roles([name]) for name in names)


def _top_level_imports(tree: ast.Module) -> Iterator[tuple[str, ImportFacts]]:
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield from imported_names(statement)


def _module_names(context: RuleContext) -> set[str]:
    facts = context.file.module.facts
    return {*facts.imports, *facts.functions, *facts.classes, *facts.variables}


def _import_edit(context: RuleContext, text: str) -> Edit:
    """Insert an import behind its like: the same top-level package, else the last import."""
    source, body = context.file.source, context.file.tree.body
    package = text.split()[1].partition(".")[0]
    place: ast.stmt | None = None
    for index, statement in enumerate(body):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            if (
                place is None
                or not _imports_from(place, package)
                or _imports_from(statement, package)
            ):
                place = statement
        elif index == 0 and isinstance(statement, ast.Expr):
            place = statement  # The docstring.
        elif not _is_guarded_import(statement):
            break
    newline = "\r\n" if source.lines[0].endswith("\r\n") else "\n"
    if place is None:
        first = body[0].lineno if body else 1
        return insertion(first, 0, text + newline)
    end = place.end_lineno or place.lineno
    last = source.lines[end - 1]
    if not last.endswith(("\n", "\r")):
        return insertion(end, len(last), newline + text)
    return insertion(end + 1, 0, text + newline)


def _imports_from(statement: ast.stmt, package: str) -> bool:
    if isinstance(statement, ast.ImportFrom):
        return (statement.module or "").partition(".")[0] == package and not statement.level
    return isinstance(statement, ast.Import) and any(
        alias.name.partition(".")[0] == package for alias in statement.names
    )


def _is_guarded_import(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If | ast.Try)
