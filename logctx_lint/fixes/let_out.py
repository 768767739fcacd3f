"""The fix that lets a cancellation out of a handler that swallows it."""

from __future__ import annotations

import ast

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.exception_handlers import Cancellation
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Applicability, Fix
from logctx_lint.fixes.edits import Helper, helper
from logctx_lint.fixes.import_edits import insertion

_ERRORS = {
    Cancellation.TWISTED: "twisted.internet.defer.CancelledError",
    Cancellation.ASYNCIO: "asyncio.CancelledError",
}


def fixes(
    context: TreeContext, node: ast.AST, handler: ast.ExceptHandler, live: Cancellation
) -> tuple[Fix, ...]:
    """`except CancelledError: raise` before a handler and the comments that belong to it."""
    keyword = "except" if isinstance(node, ast.Try) else "except*"
    lines = context.file.source.lines
    span = context.span(handler)
    indent = lines[span.line - 1][: span.column]
    if indent.strip() or live & Cancellation.TRIO:
        return ()
    errors = [_error(context, flavour) for flavour in _ERRORS if flavour in live]
    known = {error.text: error for error in errors if error}
    if len(known) < len(errors):
        return ()
    names = next(iter(known)) if len(known) == 1 else f"({', '.join(known)})"
    clause = f"{keyword} {names}:"
    first = span.line
    while lines[first - 2].startswith(f"{indent}#"):
        first -= 1
    text = f"{indent}{clause}\n{indent}{_step(context, node, indent)}raise\n"
    imports = [edit for error in known.values() for edit in error.imports]
    edits = (insertion(first, 0, text), *imports)
    return (Fix(f"Let it out: `{clause} raise`", Applicability.SAFE, edits),)


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
