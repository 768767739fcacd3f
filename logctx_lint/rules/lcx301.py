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

import libcst as cst

from logctx_lint.findings import Applicability, Fix
from logctx_lint.project.scopes import Scope
from logctx_lint.project.walk import own_nodes
from logctx_lint.rules.base import Rule, RuleVisitor
from logctx_lint.rules.cancels import Cancels
from logctx_lint.rules.context import RuleContext
from logctx_lint.rules.edits import Helper, helper
from logctx_lint.rules.handlers import (
    Cancellation,
    Caught,
    Handler,
    HandlerPaths,
    Outcome,
    caught,
    caught_by,
    is_harmless,
)
from logctx_lint.rules.held_back import Try, is_raised_later
from logctx_lint.rules.imports import insertion
from logctx_lint.rules.nodes import children, own_code
from logctx_lint.screen import Unit
from logctx_lint.settings import CancellationScope, Framework
from logctx_lint.vocabulary import Role

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


class SwallowedCancellation(RuleVisitor):
    def __init__(self, context: RuleContext) -> None:
        super().__init__(context)
        self._cancels = Cancels(context)

    def visit_Try(self, node: Try) -> None:
        if not self._is_judged(node):
            return
        awaits = self._suspensions(node.body)
        if awaits:
            self._check_handlers(node, awaits)
        if node.finalbody:
            self._check_finally(node, node.finalbody, awaits)

    def visit_TryStar(self, node: cst.TryStar) -> None:
        self.visit_Try(node)

    def visit_With(self, node: cst.With) -> None:
        for item in node.items:
            call = item.item
            if not isinstance(call, cst.Call) or Role.SUPPRESSOR not in self.context.roles(call):
                continue
            arguments = [caught_by(self.context, argument.value) for argument in call.args]
            live = self._live(*arguments)
            awaits = self._suspensions(node.body) if live and self._is_judged(node) else []
            if awaits and not self._cancels.are_waited_for(awaits):
                by_name = any(argument.by_name for argument in arguments)
                cure = "leave out CancelledError" if by_name else "name the errors that you expect"
                self.context.report(
                    RULE.code,
                    call,
                    f"`{self._shown(call)}` swallows the CancelledError of {self._what(awaits)} "
                    f"and goes on behind the `with`: {cure}",
                )

    def _is_judged(self, node: Try | cst.With) -> bool:
        """Whether the setting `cancellation-scope` takes the function in."""
        if self.context.file.settings.cancellation_scope is CancellationScope.ALL:
            return True
        function = self.context.function_of(node)
        scope = self.context.scope_of(function) if isinstance(function, cst.FunctionDef) else None
        return scope is not None and scope.function in self.context.file.auditor().cancellable

    def _suspensions(self, body: cst.BaseSuite) -> list[cst.CSTNode]:
        """The suspension points of a block, those of nested functions left out."""
        by_yield = self.context.awaits_by_yield(self.context.function_of(body))
        return [
            node
            for node in own_code(body)
            if isinstance(node, cst.Await)
            or (isinstance(node, cst.For | cst.With | cst.CompFor) and node.asynchronous)
            or (by_yield and isinstance(node, cst.Yield))
        ]

    def _live(self, *clauses: Caught) -> Cancellation:
        """The cancellations that can happen here and are caught; one that is named counts."""
        live = _LIVE[self.context.file.traits.framework]
        found = Cancellation.NONE
        for clause in clauses:
            found |= clause.cancellation if clause.by_name else clause.cancellation & live
        return found

    def _check_handlers(self, node: Try, awaits: list[cst.CSTNode]) -> None:
        settled = Cancellation.NONE
        for handler in node.handlers:
            clause = caught_by(self.context, handler.type)
            live = self._live(clause) & ~settled
            settled |= clause.cancellation
            if not live:
                continue
            paths = HandlerPaths(self.context, handler, live)
            outcomes = paths.outcomes
            if is_harmless(outcomes) or (clause.by_name and Outcome.LETS_OUT in outcomes):
                continue
            if is_raised_later(self.context, node, handler, paths):
                continue
            if not self._cancels.are_waited_for(awaits):
                fixes = () if clause.by_name else self._fixes(node, handler, live)
                self._report(handler, clause, outcomes, awaits, fixes)

    def _report(
        self,
        handler: Handler,
        clause: Caught,
        outcomes: frozenset[Outcome],
        awaits: list[cst.CSTNode],
        fixes: tuple[Fix, ...],
    ) -> None:
        keyword = _keyword(handler)
        shown = f"{keyword} {self._shown(handler.type)}" if handler.type else keyword
        what = self._what(awaits)
        exits = [text for outcome, text in _EXIT.items() if outcome in outcomes]
        if exits:
            does = f"swallows the CancelledError of {what} and {exits[0]}"
        else:
            does = f"turns the CancelledError of {what} into an ordinary failure"
        let_out = f"put `{keyword} CancelledError: raise` before it"
        cure = "re-raise it" if clause.by_name else let_out
        self.context.report(
            RULE.code, handler, f"`{shown}` {does}: {cure}", fixes, until=handler.body
        )

    def _fixes(self, node: Try, handler: Handler, live: Cancellation) -> tuple[Fix, ...]:
        """`except CancelledError: raise` before a handler and the comments that belong to it."""
        lines = self.context.file.source.lines
        span = self.context.span(handler)
        indent = lines[span.line - 1][: span.column]
        if indent.strip():
            return ()
        errors = [self._error(flavour) for flavour in _ERRORS if flavour in live]
        known = {error.text: error for error in errors if error}
        if len(known) < len(errors):
            return ()
        names = next(iter(known)) if len(known) == 1 else f"({', '.join(known)})"
        clause = f"{_keyword(handler)} {names}:"
        first = span.line
        while lines[first - 2].startswith(f"{indent}#"):
            first -= 1
        text = f"{indent}{clause}\n{indent}{self._step(node, indent)}raise\n"
        imports = [edit for error in known.values() for edit in error.imports]
        edits = (insertion(first, 0, text), *imports)
        return (Fix(f"Let it out: `{clause} raise`", Applicability.SAFE, edits),)

    def _error(self, flavour: Cancellation) -> Helper | None:
        """How this file can name a framework's cancelled error."""
        wanted = _ERRORS[flavour]
        return helper(self.context, Role.CANCELLED_ERROR, lambda name: name == wanted)

    def _step(self, node: Try, indent: str) -> str:
        """By how much this code indents."""
        for block in (node.body, *(handler.body for handler in node.handlers)):
            if isinstance(block, cst.IndentedBlock) and block.body:
                span = self.context.span(block.body[0])
                line = self.context.file.source.lines[span.line - 1]
                if line.startswith(indent):
                    return line[len(indent) : span.column]
        return "    "

    def _check_finally(self, node: Try, final: cst.Finally, awaits: list[cst.CSTNode]) -> None:
        blocks = [handler.body for handler in node.handlers]
        if node.orelse:
            blocks.append(node.orelse.body)
        awaits = awaits + [each for block in blocks for each in self._suspensions(block)]
        for leaving in _leaving(final.body) if awaits else ():
            self.context.report(
                RULE.code,
                leaving,
                f"`{self._shown(leaving)}` in `finally` swallows the CancelledError of "
                f"{self._what(awaits)}: move it behind the `try`",
            )

    def _what(self, awaits: list[cst.CSTNode]) -> str:
        first = awaits[0]
        line = self.context.span(first).line
        if isinstance(first, cst.Await | cst.Yield):
            return f"`{self._shown(first)}` (line {line})"
        keyword = "with" if isinstance(first, cst.With) else "for"
        return f"`async {keyword}` (line {line})"

    def _shown(self, node: cst.CSTNode) -> str:
        text = " ".join(self.context.text(node).split())
        if isinstance(node, cst.Tuple):
            text = f"({text})"
        return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def _keyword(handler: Handler) -> str:
    return "except*" if isinstance(handler, cst.ExceptStarHandler) else "except"


def _leaving(body: cst.CSTNode, *, in_loop: bool = False) -> list[cst.CSTNode]:
    """The statements that leave a `finally` block and so drop what was being raised."""
    found: list[cst.CSTNode] = []
    for child in children(body):
        if isinstance(child, cst.FunctionDef | cst.ClassDef | cst.Lambda):
            continue
        if isinstance(child, cst.Return) or (
            isinstance(child, cst.Break | cst.Continue) and not in_loop
        ):
            found.append(child)
        inner_loop = in_loop or isinstance(child, cst.For | cst.While)
        found += _leaving(child, in_loop=inner_loop)
    return found


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
        if isinstance(statement, ast.With | ast.AsyncWith) or _is_try(statement)
    )


def _is_try(statement: ast.stmt) -> bool:
    # `ast.TryStar`, which 3.10 does not have, is no subclass of `ast.Try`.
    return type(statement).__name__ in ("Try", "TryStar")


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
    name="swallowed-cancellation",
    fixes="`except CancelledError: raise` + import (safe)",
    visitor=SwallowedCancellation,
    screen=screen,
    module=__name__,
)
