"""Work goes on in a log context that has ended.

## Why

What `run_in_background` starts runs in the log context of its caller. When the caller is cancelled
while it waits through something that protects the work (an observer, `stop_cancellation`,
`asyncio.shield`), it goes away at once, and its log context is finished while the work still logs
and counts there. Whoever starts such work has to wait for its end; who merely observes what
somebody else has started need not.

The same happens to work that is started in an `except` or `finally` and left behind there, when the
function then leaves its own `with LoggingContext(...)`.

## Bad

```python
from twisted.internet.defer import Deferred

from logctx_lint.runtime import ObservableDeferred, make_deferred_yieldable, run_in_background


async def fetch(to_resolve: "Deferred[str]") -> None: ...


class Fetcher:
    async def result(self) -> str:
        to_resolve: "Deferred[str]" = Deferred()
        self.running = ObservableDeferred(to_resolve)
        run_in_background(fetch, to_resolve)
        return await make_deferred_yieldable(self.running.observe())
```

```python
from logctx_lint.runtime import LoggingContext, run_in_background


async def work() -> None: ...
async def clean_up() -> None: ...


async def job() -> None:
    with LoggingContext("job"):
        try:
            await work()
        except ValueError:
            run_in_background(clean_up)
            raise
```

## Good

```python
from twisted.internet.defer import Deferred

from logctx_lint.runtime import (
    ObservableDeferred,
    delay_cancellation,
    make_deferred_yieldable,
    run_in_background,
)


async def fetch(to_resolve: "Deferred[str]") -> None: ...


class Fetcher:
    async def result(self) -> str:
        to_resolve: "Deferred[str]" = Deferred()
        self.running = ObservableDeferred(to_resolve)
        run_in_background(fetch, to_resolve)
        return await make_deferred_yieldable(delay_cancellation(self.running.observe()))
```

```python
from logctx_lint.runtime import LoggingContext, run_as_background_process


async def work() -> None: ...
async def clean_up() -> None: ...


async def job() -> None:
    with LoggingContext("job"):
        try:
            await work()
        except ValueError:
            run_as_background_process("clean_up", clean_up)
            raise
```

## Fix

Unsafe: with `delay_cancellation(...)` a cancelled request stays until the work has ended. None for
work that is left behind in an `except` or `finally`: whether to await it or to give it a context of
its own is for a person to decide.

## Settings

`vocabulary` adds the project's own `background-starter`, `background-process`, `observer`,
`cancellation-shield` and `cancellation-delayer` names.

## Use instead

`logctx_lint.runtime.delay_cancellation`, or `logctx_lint.runtime.run_as_background_process`, which
gives the work a context of its own.
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.background_work import Body, Outliving
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Applicability, Edit, Fix
from logctx_lint.fixes.edits import helper, wrapped
from logctx_lint.rules.rule import Rule, RuleVisitor
from logctx_lint.syntax.lazy_libcst import cst

_STARTERS = frozenset({Role.BACKGROUND_STARTER, Role.SAFE_DECORATOR})


class OutlivedContext(RuleVisitor):
    def visit_Module(self, node: cst.Module) -> None:
        bodies = _bodies(self.context.unit)
        outliving = {each.wait: each for body in bodies for each in body.outliving()}
        abandoned = {start for body in bodies for start in body.abandoned()}
        for tree, found in self.context.nodes_of({*outliving, *abandoned}).items():
            if tree in outliving:
                self._report_wait(found, outliving[tree])
            elif isinstance(found, cst.Call):
                self._report_abandoned(found)

    def _report_wait(self, node: cst.BaseExpression, found: Outliving) -> None:
        context = self.context
        delayer = helper(context, Role.CANCELLATION_DELAYER)
        name = delayer.text if delayer else "delay_cancellation"
        text, better = " ".join(context.text(node).split()), "..."
        fixes: tuple[Fix, ...] = ()
        if delayer:
            edits, better = self._delayed(node, name)
            title = f"Wait for its end with {name}()"
            fixes = (Fix(title, Applicability.UNSAFE, (*edits, *delayer.imports)),)
        starter = ast.unparse(found.start.func)
        context.report(
            RULE.code,
            node,
            f"`{text}` waits for what `{starter}(...)` starts in this log context (line "
            f"{found.start.lineno}); a cancelled waiter leaves at once, and its context is finished"
            f" while the work still uses it: `{name}({better})`",
            fixes,
        )

    def _delayed(self, node: cst.BaseExpression, name: str) -> tuple[tuple[Edit, ...], str]:
        """Delay the cancellation; a shield has to go, for there is nothing left to delay in it."""
        if isinstance(node, cst.Call) and Role.CANCELLATION_SHIELD in self.context.roles(node):
            given = self.context.text(node.args[0].value) if node.args else ""
            return (Edit(self.context.span(node.func), name),), " ".join(given.split())
        return wrapped(self.context, node, name), " ".join(self.context.text(node).split())

    def _report_abandoned(self, call: cst.Call) -> None:
        callee = self.context.callee(call)
        self.context.report(
            RULE.code,
            call,
            f"{callee.label} starts work in this function's own log context and leaves it behind, "
            "so that the context is finished while the work still uses it: await it, or start it "
            "with `run_as_background_process`",
        )


def _bodies(unit: Unit) -> list[Body]:
    return [
        Body(unit.file, node, scope)
        for node, scope in unit.scopes.items()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def screen(unit: Unit) -> bool:
    """Whether the unit starts work whose context may end before it does."""
    return unit.may_call(_STARTERS) and any(
        next(body.outliving(), None) or next(body.abandoned(), None) for body in _bodies(unit)
    )


RULE = Rule(
    code="LCX205",
    fixes="`delay_cancellation(...)` (unsafe)",
    visitor=OutlivedContext,
    screen=screen,
)
