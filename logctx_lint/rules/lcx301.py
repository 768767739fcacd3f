"""A handler around an await catches the cancellation and does not let it out.

## Why

A cancelled request must end. `CancelledError` comes out of the `await`, and everything above has to
let it pass; a handler that logs it and goes on makes the code run on for a client that has gone,
and one that raises another exception turns the cancellation into an ordinary failure.

Twisted's `CancelledError` is an `Exception`, so that every `except Exception` catches it. asyncio's
is a `BaseException`: there, only `except BaseException`, a bare `except` and `except CancelledError`
do. Which of them counts is taken from the framework that the code is written for.

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

`framework` (`twisted`, `asyncio` or `both`) says whose cancellation counts; unset, it is detected
from the imports of the file and its package.

## Use instead

`except CancelledError: raise`; `logctx_lint.runtime.delay_cancellation` for work that must finish.
"""

from __future__ import annotations

import ast

import libcst as cst

from logctx_lint.findings import Applicability, Fix
from logctx_lint.project.facts import own_nodes
from logctx_lint.project.scopes import Scope
from logctx_lint.project.types import ClassObject, External
from logctx_lint.rules.base import Rule, RuleVisitor
from logctx_lint.rules.edits import before, helper
from logctx_lint.rules.handlers import (
    Cancellation,
    Caught,
    HandlerPaths,
    Outcome,
    caught_by,
    is_harmless,
)
from logctx_lint.rules.nodes import children, own_code
from logctx_lint.screen import Unit
from logctx_lint.settings import Framework
from logctx_lint.vocabulary import Role

_LIVE = {
    Framework.TWISTED: Cancellation.TWISTED,
    Framework.ASYNCIO: Cancellation.ASYNCIO,
    Framework.BOTH: Cancellation.TWISTED | Cancellation.ASYNCIO,
}
_EXIT = {
    Outcome.RETURNS: "returns",
    Outcome.BREAKS: "leaves the loop",
    Outcome.CONTINUES: "goes on with the loop",
    Outcome.FALLS_THROUGH: "goes on behind the `try`",
}


class SwallowedCancellation(RuleVisitor):
    def visit_Try(self, node: cst.Try) -> None:
        awaits = self._suspensions(node.body)
        if awaits:
            self._check_handlers(node, awaits)
        if node.finalbody and (
            awaits or any(self._suspensions(handler.body) for handler in node.handlers)
        ):
            self._check_finally(node.finalbody)

    def visit_With(self, node: cst.With) -> None:
        for item in node.items:
            call = item.item
            if not isinstance(call, cst.Call) or Role.SUPPRESSOR not in self.context.roles(call):
                continue
            live = self._live(*(caught_by(self.context, arg.value) for arg in call.args))
            awaits = self._suspensions(node.body)
            if live and awaits and not self._was_cancelled(node, awaits):
                self.context.report(
                    RULE.code,
                    call,
                    f"`{self._shown(call)}` swallows the CancelledError of {self._what(awaits)}: "
                    "the cancelled code goes on behind the `with`",
                )

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

    def _live(self, *caught: Caught) -> Cancellation:
        """The cancellations that can happen here and are caught; one that is named counts."""
        live = _LIVE[self.context.file.traits.framework]
        found = Cancellation.NONE
        for each in caught:
            found |= each.cancellation if each.by_name else each.cancellation & live
        return found

    def _check_handlers(self, node: cst.Try, awaits: list[cst.CSTNode]) -> None:
        settled = Cancellation.NONE
        for handler in node.handlers:
            caught = caught_by(self.context, handler.type)
            live = self._live(caught) & ~settled
            settled |= caught.cancellation
            if not live:
                continue
            outcomes = HandlerPaths(self.context, handler).outcomes
            if is_harmless(outcomes) or (caught.by_name and Outcome.LETS_OUT in outcomes):
                continue
            if self._was_cancelled(node, awaits):
                continue
            self._report(handler, caught, live, outcomes, awaits)

    def _report(
        self,
        handler: cst.ExceptHandler,
        caught: Caught,
        live: Cancellation,
        outcomes: frozenset[Outcome],
        awaits: list[cst.CSTNode],
    ) -> None:
        clause = f"except {self._shown(handler.type)}" if handler.type else "except"
        what = self._what(awaits)
        exits = [text for outcome, text in _EXIT.items() if outcome in outcomes]
        if exits:
            does = f"swallows the CancelledError of {what} and {exits[0]}"
        else:
            does = f"turns the CancelledError of {what} into an ordinary failure"
        cure = "re-raise it" if caught.by_name else "let it out by `except CancelledError: raise`"
        fixes = () if caught.by_name else self._fixes(handler, live)
        self.context.report(
            RULE.code,
            handler,
            f"`{clause}` {does}: {cure}",
            fixes,
            until=handler.body,
        )

    def _fixes(self, handler: cst.ExceptHandler, live: Cancellation) -> tuple[Fix, ...]:
        span = self.context.span(handler)
        line = self.context.file.source.lines[span.line - 1]
        indent = line[: span.column]
        if indent.strip():
            return ()
        names = []
        edits = []
        for flavour, package in (
            (Cancellation.TWISTED, "twisted."),
            (Cancellation.ASYNCIO, "asyncio."),
        ):
            if flavour in live:
                error = helper(
                    self.context,
                    Role.CANCELLED_ERROR,
                    lambda name, package=package: name.startswith(package),  # type: ignore[misc]
                )
                if error is None:
                    return ()
                names.append(error.text)
                edits += error.imports
        clause = names[0] if len(names) == 1 else f"({', '.join(names)})"
        newline = line[len(line.rstrip("\r\n")) :]
        step = "\t" if "\t" in indent else self._step(handler, indent)
        text = f"except {clause}:{newline}{indent}{step}raise{newline}{indent}"
        edits.insert(0, before(self.context, handler, text))
        title = f"Let it out: `except {clause}: raise`"
        return (Fix(title, Applicability.SAFE, tuple(edits)),)

    def _step(self, handler: cst.ExceptHandler, indent: str) -> str:
        """By how much this code indents."""
        if isinstance(handler.body, cst.IndentedBlock) and handler.body.body:
            column = self.context.span(handler.body.body[0]).column
            return " " * max(column - len(indent), 1)
        return "    "

    def _check_finally(self, final: cst.Finally) -> None:
        for node in _leaving(final.body):
            self.context.report(
                RULE.code,
                node,
                f"`{self._shown(node)}` in `finally` swallows a CancelledError on its way out: "
                "move it behind the `try`",
            )

    def _was_cancelled(self, node: cst.Try | cst.With, awaits: list[cst.CSTNode]) -> bool:
        """`task.cancel()`, then waiting for that very task: the cancellation is its own."""
        function = self.context.function_of(node)
        if not isinstance(function, cst.FunctionDef):
            return False
        cancelled: set[str] = set()
        for inner in own_code(function.body):
            match inner:
                case cst.Call(func=cst.Attribute(value=receiver, attr=cst.Name(value="cancel"))):
                    cancelled.add(self.context.text(receiver))
                case cst.For(target=cst.Name(value=name)) if f"{name}.cancel()" in (
                    self.context.text(inner.body)
                ):
                    cancelled.add(self.context.text(inner.iter))
        return bool(cancelled) and all(
            any(
                isinstance(part, cst.Name | cst.Attribute | cst.Subscript)
                and self.context.text(part) in cancelled
                for part in own_code(suspension)
            )
            for suspension in awaits
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
        return text if len(text) <= 50 else text[:49] + "…"


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
    """Whether an await stands in a `try` or a `suppress`."""
    text = unit.text
    if "await" not in text and "yield" not in text and "async" not in text:
        return False
    if "try" not in text and "suppress" not in text:
        return False
    return any(
        _may_swallow(unit, statement, scope)
        and any(isinstance(inner, _SUSPENSIONS) for inner in own_nodes(statement.body))
        for statement, scope in unit.statements
        if isinstance(statement, ast.Try | ast.With | ast.AsyncWith)
    )


def _may_swallow(unit: Unit, statement: ast.Try | ast.With | ast.AsyncWith, scope: Scope) -> bool:
    if not isinstance(statement, ast.Try):
        return any("suppress" in ast.dump(item.context_expr) for item in statement.items)
    if any(isinstance(inner, _LEAVING) for inner in own_nodes(statement.finalbody)):
        return True
    return any(
        handler.type is None or _may_catch(unit, handler.type, scope)
        for handler in statement.handlers
    )


def _may_catch(unit: Unit, clause: ast.expr, scope: Scope) -> bool:
    """Anything but the name of a class that is neither broad nor a cancelled error."""
    if isinstance(clause, ast.Tuple):
        return any(_may_catch(unit, element, scope) for element in clause.elts)
    definition, names = unit.file.resolver.define(clause, scope)
    if not isinstance(definition, ClassObject | External):
        return True
    return not _BROAD.isdisjoint(names) or Role.CANCELLED_ERROR in unit.file.vocabulary.roles(names)


_BROAD = frozenset({"builtins.Exception", "builtins.BaseException"})
_LEAVING = (ast.Return, ast.Break, ast.Continue)
_SUSPENSIONS = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield, ast.comprehension)

RULE = Rule(
    code="LCX301",
    name="swallowed-cancellation",
    fixes="`except CancelledError: raise` + import (safe)",
    visitor=SwallowedCancellation,
    screen=screen,
    module=__name__,
)
