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

from logctx_lint.analysis.awaitables.background_work import Body, OutlivingWork
from logctx_lint.analysis.context import TreeContext, arguments
from logctx_lint.analysis.shields import is_shield
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Applicability, Edit, Fix
from logctx_lint.fixes.edits import helper, wrapped
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Rule

_STARTERS = frozenset({Role.BACKGROUND_STARTER, Role.SAFE_DECORATOR})


def check(context: TreeContext) -> None:
    if not context.unit.may_call(_STARTERS):
        return
    bodies = [
        Body(context.file, node, scope)
        for node, scope in context.unit.scopes.items()
        if isinstance(node, FunctionNode)
    ]
    outliving = {each.wait: each for body in bodies for each in body.outliving()}
    for each in outliving.values():
        if context.is_placed(each.wait):
            _report_wait(context, each)
    for start in {start: None for body in bodies for start in body.abandoned()}:
        if start not in outliving and context.is_placed(start):
            _report_abandoned(context, start)


def _report_wait(context: TreeContext, found: OutlivingWork) -> None:
    delayer = helper(context, Role.CANCELLATION_DELAYER)
    name, better = delayer.text if delayer else "delay_cancellation", "..."
    fixes: tuple[Fix, ...] = ()
    if delayer:
        edits, better = _delayed(context, found.wait, name)
        title = f"Wait for its end with {name}()"
        fixes = (Fix(title, Applicability.UNSAFE, (*edits, *delayer.imports)),)
    starter = ast.unparse(found.start.func)
    context.report(
        RULE.code,
        found.wait,
        f"`{context.line(found.wait)}` waits for what `{starter}(...)` starts in this log context "
        f"(line {found.start.lineno}); a cancelled waiter leaves at once, and its context is "
        f"finished while the work still uses it: `{name}({better})`",
        fixes,
    )


def _delayed(context: TreeContext, node: ast.expr, name: str) -> tuple[tuple[Edit, ...], str]:
    """Delay the cancellation; a shield has to go, for there is nothing left to delay in it."""
    if isinstance(node, ast.Call) and is_shield(context, node):
        given = arguments(node)
        text = context.line(given[0]) if given else ""
        return (Edit(context.span(node.func), name),), text
    return wrapped(context, node, name), context.line(node)


def _report_abandoned(context: TreeContext, call: ast.Call) -> None:
    callee = context.callee(call)
    context.report(
        RULE.code,
        call,
        f"{callee.label} starts work in this function's own log context and leaves it behind, "
        "so that the context is finished while the work still uses it: await it, or start it "
        "with `run_as_background_process`",
    )


RULE = Rule(
    code="LCX205",
    fixes="`delay_cancellation(...)` (unsafe)",
    check=check,
)
