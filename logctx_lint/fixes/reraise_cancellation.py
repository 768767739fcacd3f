"""Fixes that re-raise a cancellation in a handler that swallows it.

`except CancelledError: raise` before a handler changes nothing else only if that handler does
nothing but log or count. One that does more goes on doing so, and lets the cancellation out at its
end. Where something has to be done behind the handler, neither will do.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from logctx_lint.analysis.cancellation.cancellation_state import Code
from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.exception_handlers import Cancellation
from logctx_lint.analysis.log_calls import writes_log
from logctx_lint.config.known_packages import CANCELLED_ERRORS
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Applicability, Edit, Fix
from logctx_lint.fixes.edits import Helper, after, helper
from logctx_lint.fixes.import_edits import insertion
from logctx_lint.fixes.left_out import may_leave_out
from logctx_lint.inference.narrowing import LEAVING
from logctx_lint.syntax.ast_walk import all_nodes, all_statements, body_nodes, is_name, own_nodes

_COMPOUND = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Match)
_ERRORS = {
    Cancellation.TWISTED: CANCELLED_ERRORS["twisted"],
    Cancellation.ASYNCIO: CANCELLED_ERRORS["asyncio"],
}


def fixes(
    context: TreeContext,
    code: Code,
    node: ast.AST,
    handler: ast.ExceptHandler,
    live: Cancellation,
) -> tuple[Fix, ...]:
    """How a handler that does not name the cancelled error can let it out."""
    if live & Cancellation.TRIO or names_cancelled(code, handler):
        return ()
    if may_leave_out(context, node, handler):
        return ()
    errors = [_error(context, flavour) for flavour in _ERRORS if flavour in live]
    known = {error.text: error for error in errors if error}
    if len(known) < len(errors):
        return ()
    names = next(iter(known)) if len(known) == 1 else f"({', '.join(known)})"
    imports = tuple(edit for error in known.values() for edit in error.imports)
    if imports and _imports_elsewhere(context, list(known.values())):
        return ()
    if _only_logs(code, handler):
        return _clause_before(context, node, handler, names, imports)
    if not code.by_yield and any(own_nodes(handler.body, ast.Yield)):
        return ()  # An asynchronous generator, which holds the cancellation back as it yields.
    return _raise_behind(context, node, handler, names, imports)


def _clause_before(
    context: TreeContext,
    node: ast.AST,
    handler: ast.ExceptHandler,
    names: str,
    imports: tuple[Edit, ...],
) -> tuple[Fix, ...]:
    """`except CancelledError: raise` before a handler and the comments that belong to it."""
    keyword = "except" if isinstance(node, ast.Try) else "except*"
    lines = context.file.source.lines
    span = context.span(handler)
    indent = lines[span.line - 1][: span.column]
    if indent.strip():
        return ()
    clause = f"{keyword} {names}:"
    first = span.line
    while lines[first - 2].startswith(f"{indent}#"):
        first -= 1
    text = f"{indent}{clause}\n{indent}{_step(context, node, indent)}raise\n"
    edits = (insertion(first, 0, text), *imports)
    return (Fix(f"Let it out: `{clause} raise`", Applicability.SAFE, edits),)


def _raise_behind(
    context: TreeContext,
    node: ast.AST,
    handler: ast.ExceptHandler,
    names: str,
    imports: tuple[Edit, ...],
) -> tuple[Fix, ...]:
    """`if isinstance(error, CancelledError): raise` at the end of a handler's work."""
    if handler.type is None or not isinstance(node, ast.Try):
        return ()
    last, lines = handler.body[-1], context.file.source.lines
    if any(isinstance(each, LEAVING) for each in body_nodes(handler) if each is not last):
        return ()
    leaves = isinstance(last, LEAVING)
    if leaves and len(handler.body) == 1:
        return ()
    span = context.span(last)
    indent = lines[span.line - 1][: span.column]
    if indent.strip():
        return ()
    if handler.name and any(_binds(each, handler.name) for each in body_nodes(handler)):
        return ()  # The name holds something else behind it.
    name = handler.name or _new_name(context, handler)
    naming = () if handler.name else (after(context, handler.type, f" as {name}"),)
    step = _step(context, node, lines[context.span(handler).line - 1][: handler.col_offset])
    text = f"{indent}if isinstance({name}, {names}):\n{indent}{step}raise\n"
    if leaves:
        edit = insertion(span.line, 0, text)
    else:
        end = lines[span.end_line - 1]
        if not end.endswith(("\n", "\r")):
            edit = insertion(span.end_line, len(end), f"\n{text}".removesuffix("\n"))
        else:
            edit = insertion(span.end_line + 1, 0, text)
    title = f"Let it out behind the handler's work: `isinstance({name}, {names})`"
    return (Fix(title, Applicability.UNSAFE, (edit, *naming, *imports)),)


def _binds(node: ast.AST, name: str) -> bool:
    return is_name(node, name) and not isinstance(node.ctx, ast.Load)


def _new_name(context: TreeContext, handler: ast.ExceptHandler) -> str:
    function = context.function_of(handler)
    taken = {each.id for each in all_nodes(function or handler, ast.Name)}
    return next(name for name in ("error", "exc", "error_", "exc_") if name not in taken)


def names_cancelled(code: Code, handler: ast.ExceptHandler) -> bool:
    """Whether a handler names the cancelled error: it was written on purpose."""
    clauses = [handler.type] if handler.type else []
    named = [each for clause in clauses for each in all_nodes(clause)]
    named += list(body_nodes(handler))
    return any(
        isinstance(each, ast.Name | ast.Attribute)
        and Role.CANCELLED_ERROR in code.file.roles(each, code.scope)
        for each in named
    )


def _only_logs(code: Code, handler: ast.ExceptHandler) -> bool:
    """Whether nothing is lost if a handler is passed by: it logs, counts, or goes on."""
    return all(_is_harmless(code, each) for each in handler.body)


def does_work(code: Code, handler: ast.ExceptHandler) -> bool:
    """Whether a handler does what has to be done for a cancellation as well: it cleans up, or tells
    somebody; to log, to set a variable, and to leave is no such work."""
    return any(
        not _is_harmless(code, each)
        for each in body_nodes(handler)
        if isinstance(each, ast.stmt)
        and not isinstance(each, (ast.Return, ast.Raise, ast.Assert, *_COMPOUND))
        and not (isinstance(each, ast.Assign) and all(map(_is_variable, each.targets)))
    )


def _is_variable(target: ast.expr) -> bool:
    elements = target.elts if isinstance(target, ast.Tuple) else [target]
    return all(isinstance(each, ast.Name) for each in elements)


def _is_harmless(code: Code, node: ast.stmt) -> bool:
    match node:
        case ast.Pass() | ast.Continue() | ast.Break() | ast.Return(None):
            return True
        case ast.Return(value) if value is not None:
            return _is_plain(value)
        case ast.Expr(ast.Constant()):
            return True
        case ast.Expr(ast.Call() as call):
            return _logs(code, call)
        case ast.AugAssign(_, ast.Add(), ast.Constant(int())):
            return True
        case ast.Raise(exc=raised):
            return raised is None or _is_plain(raised)
    return False


def _logs(code: Code, call: ast.Call) -> bool:
    return writes_log(code.file, call, code.scope) and not any(
        isinstance(each, ast.Await | ast.Yield | ast.NamedExpr) for each in all_nodes(call)
    )


def _is_plain(value: ast.expr) -> bool:
    """Whether evaluating something does no more than give a value."""
    return not any(
        isinstance(each, ast.Await | ast.Yield | ast.NamedExpr)
        or (isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute))
        for each in all_nodes(value)
    )


def _imports_elsewhere(context: TreeContext, helpers: list[Helper]) -> bool:
    """Whether the file imports what is needed only under a condition: it can do without."""
    packages = {each.name.partition(".")[0] for each in helpers if each.imports}
    top = _imported(context.file.tree.body)
    nested = _imported(all_statements(context.file.tree.body))
    return any(each in nested and each not in top for each in packages)


def _imported(statements: Iterable[ast.stmt]) -> set[str]:
    return {
        (each.module or "").partition(".")[0]
        if isinstance(each, ast.ImportFrom)
        else alias.name.partition(".")[0]
        for each in statements
        if isinstance(each, ast.Import | ast.ImportFrom)
        for alias in each.names
    }


def _error(context: TreeContext, flavour: Cancellation) -> Helper | None:
    """How this file can name a framework's cancelled error."""
    wanted = _ERRORS[flavour]
    return helper(context, Role.CANCELLED_ERROR, lambda name: name == wanted)


def _step(context: TreeContext, node: ast.AST, indent: str) -> str:
    """By how much this code indents."""
    blocks = [node.body, *(handler.body for handler in node.handlers)]  # type: ignore[attr-defined]
    for block in blocks:
        span = context.span(block[0])
        before = context.file.source.lines[span.line - 1][: span.column]
        if before.startswith(indent) and not before.strip():
            return before.removeprefix(indent)
    return "    "
