"""Edits that fixes are made of: spans of the original text, never a printed tree."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from logctx_lint.analysis.context import TreeContext, arguments
from logctx_lint.config.role_lookup import Vocabulary
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Applicability, Edit, Fix, Span
from logctx_lint.fixes.import_edits import (
    import_edit,
    insertion,
    is_guarded,
    may_import_runtime,
)
from logctx_lint.fixes.starter_shapes import Shape, method_at_hand, shape
from logctx_lint.inference.types import External, Kind, ModuleType
from logctx_lint.project.facts import ImportFacts, imported_names

_RUNTIME = ("logctx_lint.runtime", "logctx_lint.runtime.tasks")
_RUNS_ANYWAY = (Kind.DEFERRED, Kind.FUTURE)
_BUILT_IN = Vocabulary({})
_STARTERS = frozenset({Role.BACKGROUND_STARTER, Role.NURSERY_STARTER})


@dataclass(frozen=True, slots=True)
class Helper:
    """A function that a fix uses: how to call it here, and the import that this needs."""

    text: str
    imports: tuple[Edit, ...] = ()
    is_new: bool = False
    """The project does not have it yet: it comes from the reference runtime."""
    name: str = ""
    """Its qualified name."""
    takes_coroutine: bool = False
    """It is called as `start(f(x))`, and not as `start(f, x)`."""

    @property
    def applicability(self) -> Applicability:
        """What a fix may at best be: a new dependency is for a person to decide."""
        return Applicability.UNSAFE if self.is_new else Applicability.SAFE


def before(context: TreeContext, node: ast.AST, text: str) -> Edit:
    """Insert a text in front of a node."""
    span = context.span(node)
    return insertion(span.line, span.column, text)


def after(context: TreeContext, node: ast.AST, text: str) -> Edit:
    """Insert a text behind a node."""
    span = context.span(node)
    return insertion(span.end_line, span.end_column, text)


def wrapped(context: TreeContext, node: ast.AST, function: str) -> tuple[Edit, ...]:
    """`node` as the only argument of a call."""
    return before(context, node, f"{function}("), after(context, node, ")")


def passed_on(
    context: TreeContext, call: ast.Call, function: str, first: str = ""
) -> tuple[Edit, ...] | None:
    """`f(x)` becomes `function(f, x)`; comments and line breaks stay. None where it cannot.

    `first` are arguments before the function, each with its comma.
    """
    comma = _comma_for_opening(context, call)
    return (before(context, call, f"{function}({first}"), comma) if comma else None


def as_arguments(context: TreeContext, call: ast.Call) -> tuple[Edit, ...] | None:
    """`f(x)`, the last of a call's own arguments, becomes `f, x`; comments stay."""
    comma = None if context.is_parenthesized(call) else _comma_for_opening(context, call)
    taker = context.taker(call)
    around, inside = context.written(taker) if taker else None, context.written(call)
    if comma is None or around is None or inside is None:
        return None
    if around.trailing_comma and inside.trailing_comma:
        return None
    return comma, _without_closing(context, call)


def _comma_for_opening(context: TreeContext, call: ast.Call) -> Edit | None:
    """Put a comma for the parenthesis that opens a call's arguments."""
    written = context.written(call)
    span = written.opening if written else None
    if written is None or span is None or written.has_bare_generator:
        return None
    if not arguments(call):
        return Edit(span, "")
    rest = context.file.source.lines[span.line - 1][span.end_column :]
    return Edit(span, "," if rest[:1].isspace() else ", ")


def await_fix(context: TreeContext, node: ast.expr, *, by_yield: bool) -> tuple[Fix, ...]:
    """Await a call where it stands (`yield` it under `@inlineCallbacks`)."""
    if not context.is_placed(node):
        return ()
    if not by_yield:
        return (Fix("Await it", Applicability.UNSAFE, (before(context, node, "await "),)),)
    parent = context.parent(node)
    if isinstance(parent, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        return ()  # No comprehension can yield.
    if isinstance(parent, ast.Expr | ast.Assign | ast.AnnAssign):
        edits: tuple[Edit, ...] = (before(context, node, "yield "),)
    else:
        edits = before(context, node, "(yield "), after(context, node, ")")
    return (Fix("Yield it", Applicability.UNSAFE, edits),)


def background_fix(
    context: TreeContext,
    call: ast.Call,
    helper: Helper | None,
    applicability: Applicability = Applicability.UNSAFE,
) -> tuple[Fix, ...]:
    """Start a call with the project's background starter."""
    edits = None
    if helper and helper.takes_coroutine:
        edits = wrapped(context, call, helper.text)
    elif helper:
        edits = passed_on(context, call, helper.text)
    return _background_fix(helper, edits, applicability)


def started_by_hand_fix(
    context: TreeContext, call: ast.Call, helper: Helper | None
) -> tuple[Fix, ...]:
    """Do with the starter what `ensureDeferred(f(x))` or `maybeDeferred(f, x)` does by hand."""
    written = context.written(call)
    if helper is None or written is None or written.is_function_parenthesized:
        return ()
    swap = Edit(context.span(call.func), helper.text)
    match call.args:
        case [ast.Starred(), *_]:
            return ()
        case [started] if helper.takes_coroutine:
            answer = context.awaitability(started)
            is_lazy = answer.is_certain and answer.kind.is_lazy
            return _background_fix(helper, (swap,)) if is_lazy and not call.keywords else ()
        case _ if helper.takes_coroutine:
            return ()
        case [function, *_] if context.is_callable(function):
            return _background_fix(helper, (swap,))
        case [ast.Call() as started] if not call.keywords:
            passed = as_arguments(context, started)
        case _:
            return ()
    return _background_fix(helper, (swap, *passed) if passed else None)


def _background_fix(
    helper: Helper | None,
    edits: tuple[Edit, ...] | None,
    applicability: Applicability = Applicability.UNSAFE,
) -> tuple[Fix, ...]:
    if helper is None or edits is None:
        return ()
    title = f"Start it with {helper.text}()"
    return (Fix(title, applicability, (*edits, *helper.imports)),)


def _without_closing(context: TreeContext, call: ast.Call) -> Edit:
    """Take away the parenthesis that closes a call, with its line if it stands there alone."""
    end = context.span(call)
    lines = context.file.source.lines
    line, column = end.end_line, end.end_column - 1
    alone = not lines[line - 1][:column].strip() and not lines[line - 1][column + 1 :].strip()
    if alone and column:
        line, column = line - 1, len(lines[line - 2].rstrip("\r\n"))
    return Edit(Span(line, column, end.end_line, end.end_column), "")


def background_starter(context: TreeContext, kind: Kind) -> Helper | None:
    """The function that starts work of this kind in the background."""
    as_task = not context.file.traits.uses_twisted and kind is not Kind.DEFERRED

    def accepts(name: str) -> bool:
        if not _is_own(context, name):
            return name.endswith(".run_in_background") and (".tasks." in name) is as_task
        return _fits(context, name, Role.BACKGROUND_STARTER, kind)

    def accepts_nursery_s(name: str) -> bool:
        return _is_own(context, name) and _fits(context, name, Role.NURSERY_STARTER, kind)

    found = _own_method(context, Role.BACKGROUND_STARTER, accepts)
    found = found or helper(context, Role.BACKGROUND_STARTER, accepts)
    role = Role.BACKGROUND_STARTER
    if found is None or found.is_new:
        other = _own_method(context, Role.NURSERY_STARTER, accepts_nursery_s)
        other = other or helper(context, Role.NURSERY_STARTER, accepts_nursery_s)
        found, role = (other, Role.NURSERY_STARTER) if other else (found, role)
    if found and _is_own(context, found.name):
        found = replace(
            found, takes_coroutine=shape(context.file, found.name, role) is Shape.COROUTINE
        )
    is_runtime = found is not None and found.name.startswith(_RUNTIME[0])
    if is_runtime and kind in _RUNS_ANYWAY and not context.file.traits.has_log_contexts:
        return None  # It keeps log contexts, and handles no failure.
    return found


def _is_own(context: TreeContext, name: str) -> bool:
    """Whether a starter is the project's own."""
    is_runtime_s = context.file.vocabulary.runtime_of(name) is not None
    return not is_runtime_s and not _BUILT_IN.roles([name]) & _STARTERS


def _fits(context: TreeContext, name: str, role: Role, kind: Kind) -> bool:
    """Whether work of this kind can be handed to a starter of the project here."""
    unit = context.unit
    if name == f"{unit.scope.qualified_name}.{getattr(unit.node, 'name', '')}":
        return False  # It would call itself.
    found = shape(context.file, name, role)
    return found is Shape.FUNCTION or (found is Shape.COROUTINE and kind is Kind.COROUTINE)


def _own_method(context: TreeContext, role: Role, accepts: Callable[[str], bool]) -> Helper | None:
    """A method of the project that can be called on `self`, or on an attribute of it."""
    for name in context.file.vocabulary.names_of(role):
        if _is_own(context, name) and (text := method_at_hand(context, name)) and accepts(name):
            return Helper(text, name=name)
    return None


def helper(
    context: TreeContext, role: Role, accepts: Callable[[str], bool] = lambda name: True
) -> Helper | None:
    """The function of a role as this file can call it.

    The one that the file imports or defines already; else the first that the project has; else
    the reference runtime's. `accepts` chooses among the role's qualified names.
    """
    locals_ = {name for scope in context.unit.scopes.values() for name in scope.bindings}
    found = _at_hand(context, role, accepts)
    if found:
        text, name = found
        return None if text.partition(".")[0] in locals_ else Helper(text, name=name)
    taken = locals_ | _module_names(context)
    for name in context.file.vocabulary.names_of(role):
        if accepts(name) and name.rpartition(".")[2] not in taken:
            imported = _imported_helper(context, name)
            if imported:
                return imported
    return None


def _imported_helper(context: TreeContext, name: str) -> Helper | None:
    """A function that is there, or comes from the reference runtime, with the import of it."""
    resolver, module = context.resolver, context.file.module
    home, _, attribute = name.rpartition(".")
    is_new = home in _RUNTIME
    if is_new and not may_import_runtime(context):
        return None
    if not is_new:
        target = resolver.modules.find(home, module.root)
        if target is None or not resolver.definitions.member(target, attribute):
            return None
        imports = (item.module for items in module.facts.imports.values() for item in items)
        if target.is_stub and not _is_library(home) and home not in imports:
            return None
    if is_guarded(context.file.tree, home):
        return None
    edit = import_edit(context.file.source, context.file.tree, home, attribute)
    return Helper(attribute, (edit,), is_new, name)


def _is_library(module: str) -> bool:
    """Known from a stub, and there wherever this code runs."""
    return module.startswith(("twisted.", "asyncio"))


def _at_hand(
    context: TreeContext, role: Role, accepts: Callable[[str], bool]
) -> tuple[str, str] | None:
    """How this file names a function of the role that it imports, or that is its own; its name."""
    definitions, module = context.resolver.definitions, context.file.module
    wanted = [name for name in context.file.vocabulary.names_of(role) if accepts(name)]
    for local, imported in _top_level_imports(context.file.tree):
        definition, names = definitions.imported(module, imported)
        known = next((name for name in names if name in wanted), None)
        if known or _plays(context, role, names, accepts):
            return local, known or names[-1]
        if isinstance(definition, ModuleType | External):
            for name in wanted:
                home, _, attribute = name.rpartition(".")
                if home in names:
                    return f"{local}.{attribute}", name
    for name in wanted:
        home, _, attribute = name.rpartition(".")
        if home == module.name and attribute in module.facts.functions:
            return attribute, name
    return None


def _plays(
    context: TreeContext, role: Role, names: tuple[str, ...], accepts: Callable[[str], bool]
) -> bool:
    """Whether names have a role that a glob gives them."""
    return any(role in context.file.vocabulary.roles([name]) and accepts(name) for name in names)


def _top_level_imports(tree: ast.Module) -> Iterator[tuple[str, ImportFacts]]:
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield from imported_names(statement)


def _module_names(context: TreeContext) -> set[str]:
    facts = context.file.module.facts
    return {*facts.imports, *facts.functions, *facts.classes, *facts.variables}
