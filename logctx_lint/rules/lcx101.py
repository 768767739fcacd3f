"""An awaitable is dropped in a function that could await it.

## Why

Calling an `async def` runs nothing: it makes a coroutine. Dropped, the work never happens, and
nobody is told but by a warning when the coroutine is collected. A Deferred or a task runs anyway,
but its failure goes unseen, and in code that keeps a log context for each request the rest of the
function is logged against the wrong one.

## Bad

```python
async def handle(store: Store) -> None:
    store.save()


class Store:
    async def save(self) -> None: ...
```

```python
from typing import Awaitable, Callable, List


async def notify(callbacks: List[Callable[[str], Awaitable[None]]]) -> None:
    for callback in callbacks:
        callback("done")
```

## Good

```python
async def handle(store: Store) -> None:
    await store.save()


class Store:
    async def save(self) -> None: ...
```

```python
from logctx_lint.runtime import run_in_background


async def handle(store: Store) -> None:
    run_in_background(store.save)


class Store:
    async def save(self) -> None: ...
```

## Fix

Both fixes are unsafe, because only you know which is meant: `await` waits for the work and lets
its failure out; the background starter goes on at once.

## Settings

`vocabulary` adds the project's own `background-starter`, `safe-decorator` and `droppable` names.

## Use instead

`await`, or `logctx_lint.runtime.run_in_background` (`logctx_lint.runtime.tasks.run_in_background`
on asyncio).
"""

from __future__ import annotations

from logctx_lint.lazy import cst
from logctx_lint.rules import dropped
from logctx_lint.rules.base import Rule, RuleVisitor
from logctx_lint.rules.dropped import Dropped, How
from logctx_lint.rules.edits import await_fix, background_fix, background_starter


class UnawaitedAwaitable(RuleVisitor):
    def visit_Expr(self, node: cst.Expr) -> None:
        self._check(node)

    def visit_Assign(self, node: cst.Assign) -> None:
        self._check(node)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        self._check(node)

    def _check(self, node: cst.Expr | cst.Assign | cst.AnnAssign) -> None:
        function = self.context.function_of(node)
        if not self.context.is_asynchronous(function):
            return
        for found in dropped.dropped_by(self.context, node):
            if found.how is How.PLAIN:
                by_yield = self.context.awaits_by_yield(function)
                self._report(found, by_yield=by_yield)

    def _report(self, found: Dropped, *, by_yield: bool) -> None:
        callee = self.context.callee(found.call)
        starter = background_starter(self.context, found.kind)
        cure = "yield it" if by_yield else "await it"
        if starter:
            cure += f", or start it with `{starter.text}`"
        self.context.report(
            RULE.code,
            found.expression,
            f"{callee.label} {found.verb} {dropped.fate(self.context, found)} ({callee.reason}):"
            f" {cure}",
            (
                *await_fix(self.context, found.expression, by_yield=by_yield),
                *background_fix(self.context, found.call, starter),
            ),
        )


RULE = Rule(
    code="LCX101",
    name="unawaited-awaitable",
    fixes="`await` (unsafe), run in background (unsafe)",
    visitor=UnawaitedAwaitable,
    screen=dropped.screen,
    module=__name__,
)
