"""A handler around an await catches the cancellation and does not let it out.

## Why

A cancelled request must end. `CancelledError` comes out of the `await`, and everything above has to
let it pass; a handler that logs it and goes on makes the code run on for a client that has gone,
and one that raises another exception turns the cancellation into an ordinary failure.

Twisted's `CancelledError` is an `Exception`, so that every `except Exception` catches it. asyncio's
is a `BaseException`: only `except BaseException`, a bare `except` and `except CancelledError` catch
that one. Which of them counts is taken from the framework that the code is written for.

## Bad

```python
import logging

from twisted.internet.defer import Deferred

logger = logging.getLogger(__name__)


async def handle(work: "Deferred[None]") -> None:
    try:
        await work
    except Exception:
        logger.info("failed")
```

```python
import asyncio


async def handle(queue: "asyncio.Queue[str]") -> str:
    try:
        return await queue.get()
    except asyncio.CancelledError:
        return ""
```

## Good

```python
import logging

from twisted.internet.defer import CancelledError, Deferred

logger = logging.getLogger(__name__)


async def handle(work: "Deferred[None]") -> None:
    try:
        await work
    except CancelledError:
        raise
    except Exception:
        logger.info("failed")
```

```python
import asyncio
import logging

logger = logging.getLogger(__name__)


async def handle(queue: "asyncio.Queue[str]") -> str:
    try:
        return await queue.get()
    except Exception:
        logger.info("failed")
        raise


async def stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
```

## Fix

Safe: `except CancelledError: raise` is put before the handler, with its import. A handler that
names `CancelledError` itself was written on purpose and gets no fix.

## Settings

`cancellation-scope = "cancellable"` limits the rule to functions that a marked (`@cancellable`) one
waits for, directly or through others, in whatever file they stand.

`framework` (`twisted`, `asyncio` or `both`) says whose cancellation counts; unset, it is detected
from the imports of the file and its package.

## Use instead

`except CancelledError: raise`; `logctx_lint.runtime.delay_cancellation` for work that must finish.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.cancelled_tasks import Cancels
from logctx_lint.analysis.context import TreeContext, arguments, as_try, in_source_order
from logctx_lint.analysis.deferred_reraise import is_raised_later
from logctx_lint.analysis.exception_handlers import (
    Cancellation,
    Caught,
    HandlerPaths,
    Outcome,
    caught,
    caught_by,
    is_harmless,
)
from logctx_lint.analysis.units import Unit
from logctx_lint.config.settings import CancellationScope, Framework
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Applicability, Fix, Span
from logctx_lint.fixes.edits import Helper, helper
from logctx_lint.fixes.import_edits import insertion
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import child_blocks, own_nodes

_LIVE = {
    Framework.TWISTED: Cancellation.TWISTED,
    Framework.ASYNCIO: Cancellation.ASYNCIO,
    Framework.BOTH: Cancellation.TWISTED | Cancellation.ASYNCIO,
}
_ERRORS = {
    Cancellation.TWISTED: "twisted.internet.defer.CancelledError",
    Cancellation.ASYNCIO: "asyncio.CancelledError",
}
_EXIT = {
    Outcome.RETURNS: "returns",
    Outcome.BREAKS: "leaves the loop",
    Outcome.CONTINUES: "goes on with the loop",
    Outcome.FALLS_THROUGH: "goes on behind the `try`",
}
_LONGEST_TEXT = 50


def check(context: TreeContext) -> None:
    cancels = Cancels(context)
    for statement, _ in context.unit.statements:
        attempt = as_try(statement)
        if attempt and _is_judged(context, attempt):
            _check_try(context, attempt, cancels)
        elif isinstance(statement, ast.With | ast.AsyncWith):
            _check_with(context, statement, cancels)


def _check_try(context: TreeContext, node: ast.Try, cancels: Cancels) -> None:
    awaits = _suspensions(context, node.body)
    if awaits:
        _check_handlers(context, node, awaits, cancels)
    if node.finalbody:
        _check_finally(context, node, awaits)


def _check_with(context: TreeContext, node: ast.With | ast.AsyncWith, cancels: Cancels) -> None:
    for item in node.items:
        call = item.context_expr
        if not isinstance(call, ast.Call) or Role.SUPPRESSOR not in context.roles(call):
            continue
        clauses = [caught_by(context, argument) for argument in arguments(call)]
        live = _live(context, *clauses)
        awaits = _suspensions(context, node.body) if live and _is_judged(context, node) else []
        if awaits and not cancels.are_waited_for(awaits):
            by_name = any(clause.by_name for clause in clauses)
            cure = "leave out CancelledError" if by_name else "name the errors that you expect"
            context.report(
                RULE.code,
                call,
                f"`{_shown(context, call)}` swallows the CancelledError of "
                f"{_what(context, awaits)} and goes on behind the `with`: {cure}",
            )


def _is_judged(context: TreeContext, node: ast.stmt) -> bool:
    """Whether the setting `cancellation-scope` takes the function in."""
    if context.file.settings.cancellation_scope is CancellationScope.ALL:
        return True
    node_function = context.function_of(node)
    if not isinstance(node_function, FunctionNode):
        return False
    function = context.unit.scopes[node_function].function
    return function in context.file.auditor().cancellable


def _suspensions(context: TreeContext, body: list[ast.stmt]) -> list[ast.AST]:
    """The suspension points of a block, those of nested functions left out."""
    by_yield = context.awaits_by_yield(context.function_of(body[0])) if body else False
    return in_source_order(
        node.target if isinstance(node, ast.comprehension) else node
        for node in own_nodes(body)
        if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith)
        or (isinstance(node, ast.comprehension) and node.is_async)
        or (by_yield and isinstance(node, ast.Yield))
    )


def _live(context: TreeContext, *clauses: Caught) -> Cancellation:
    """The cancellations that can happen here and are caught; one that is named counts."""
    live = _LIVE[context.file.traits.framework]
    found = Cancellation.NONE
    for clause in clauses:
        found |= clause.cancellation if clause.by_name else clause.cancellation & live
    return found


def _check_handlers(
    context: TreeContext, node: ast.Try, awaits: list[ast.AST], cancels: Cancels
) -> None:
    settled = Cancellation.NONE
    for handler in node.handlers:
        clause = caught_by(context, handler.type)
        live = _live(context, clause) & ~settled
        settled |= clause.cancellation
        if not live:
            continue
        paths = HandlerPaths(context, handler, live)
        outcomes = paths.outcomes
        if is_harmless(outcomes) or (clause.by_name and Outcome.LETS_OUT in outcomes):
            continue
        if is_raised_later(context, node, handler, paths):
            continue
        if not cancels.are_waited_for(awaits):
            keyword = "except" if isinstance(node, ast.Try) else "except*"
            fixes = () if clause.by_name else _fixes(context, node, handler, keyword, live)
            _report(context, handler, keyword, clause, outcomes, awaits, fixes)


def _report(
    context: TreeContext,
    handler: ast.ExceptHandler,
    keyword: str,
    clause: Caught,
    outcomes: frozenset[Outcome],
    awaits: list[ast.AST],
    fixes: tuple[Fix, ...],
) -> None:
    shown = f"{keyword} {_shown(context, handler.type)}" if handler.type else keyword
    what = _what(context, awaits)
    exits = [text for outcome, text in _EXIT.items() if outcome in outcomes]
    if exits:
        does = f"swallows the CancelledError of {what} and {exits[0]}"
    else:
        does = f"turns the CancelledError of {what} into an ordinary failure"
    let_out = f"put `{keyword} CancelledError: raise` before it"
    cure = "re-raise it" if clause.by_name else let_out
    start, body = context.span(handler), context.span(handler.body[0])
    context.report(
        RULE.code,
        handler,
        f"`{shown}` {does}: {cure}",
        fixes,
        span=Span(start.line, start.column, body.line, body.column),
    )


def _fixes(
    context: TreeContext,
    node: ast.Try,
    handler: ast.ExceptHandler,
    keyword: str,
    live: Cancellation,
) -> tuple[Fix, ...]:
    """`except CancelledError: raise` before a handler and the comments that belong to it."""
    lines = context.file.source.lines
    span = context.span(handler)
    indent = lines[span.line - 1][: span.column]
    if indent.strip():
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


def _step(context: TreeContext, node: ast.Try, indent: str) -> str:
    """By how much this code indents."""
    for block in (node.body, *(handler.body for handler in node.handlers)):
        span = context.span(block[0])
        before = context.file.source.lines[span.line - 1][: span.column]
        if before.startswith(indent) and not before.strip():
            return before.removeprefix(indent)
    return "    "


def _check_finally(context: TreeContext, node: ast.Try, awaits: list[ast.AST]) -> None:
    blocks = [*(handler.body for handler in node.handlers), node.orelse]
    awaits = awaits + [each for block in blocks for each in _suspensions(context, block)]
    for leaving in in_source_order(_leaving(node.finalbody)) if awaits else ():
        context.report(
            RULE.code,
            leaving,
            f"`{_shown(context, leaving)}` in `finally` swallows the CancelledError of "
            f"{_what(context, awaits)}: move it behind the `try`",
        )


def _what(context: TreeContext, awaits: list[ast.AST]) -> str:
    first = awaits[0]
    line = context.span(first).line
    if isinstance(first, ast.Await | ast.Yield):
        return f"`{_shown(context, first)}` (line {line})"
    keyword = "with" if isinstance(first, ast.AsyncWith) else "for"
    return f"`async {keyword}` (line {line})"


def _shown(context: TreeContext, node: ast.AST) -> str:
    text = context.line(node)
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def _leaving(body: list[ast.stmt], *, in_loop: bool = False) -> Iterator[ast.stmt]:
    """The statements that leave a `finally` block and so drop what was being raised."""
    for statement in body:
        match statement:
            case ast.Return():
                yield statement
            case ast.Break() | ast.Continue() if not in_loop:
                yield statement
            case _:
                is_loop = isinstance(statement, ast.For | ast.AsyncFor | ast.While)
                for block in child_blocks(statement):
                    yield from _leaving(block, in_loop=in_loop or is_loop)


def screen(unit: Unit) -> bool:
    """Whether an await stands in a `try` or a `suppress` that may swallow its cancellation."""
    text = unit.text
    if "await" not in text and "yield" not in text and "async" not in text:
        return False
    if "try" not in text and "suppress" not in text:
        return False
    return any(
        _suspends(statement) and _may_swallow(unit, statement, scope)
        for statement, scope in unit.statements
        if isinstance(statement, ast.With | ast.AsyncWith) or as_try(statement)
    )


def _suspends(statement: ast.stmt) -> bool:
    return any(
        isinstance(inner, _SUSPENSIONS) or (isinstance(inner, ast.comprehension) and inner.is_async)
        for inner in own_nodes([statement])
    )


def _may_swallow(unit: Unit, statement: ast.stmt, scope: Scope) -> bool:
    if isinstance(statement, ast.With | ast.AsyncWith):
        return any(
            isinstance(item.context_expr, ast.Call)
            and Role.SUPPRESSOR in unit.file.roles(item.context_expr.func, scope)
            for item in statement.items
        )
    final: list[ast.stmt] = getattr(statement, "finalbody", [])
    if any(isinstance(inner, _LEAVING) for inner in own_nodes(final)):
        return True
    resolver, vocabulary = unit.file.resolver, unit.file.vocabulary
    handlers: list[ast.ExceptHandler] = getattr(statement, "handlers", [])
    clauses = [handler.type for handler in handlers]
    return any(
        clause is None or caught(resolver, vocabulary, clause, scope).cancellation
        for clause in clauses
    )


_LEAVING = (ast.Return, ast.Break, ast.Continue)
_SUSPENSIONS = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield)

RULE = Rule(
    code="LCX301",
    fixes="`except CancelledError: raise` + import (safe)",
    screen=screen,
    check=check,
)
