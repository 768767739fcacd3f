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

from logctx_lint.analysis.awaitables import discard_consequences, discarded_awaitables
from logctx_lint.analysis.awaitables.discarded_awaitables import DropKind, Dropped
from logctx_lint.analysis.callback_arguments import taken
from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.log_contexts.endless_workers import runs_alongside
from logctx_lint.findings import Fix
from logctx_lint.fixes.edits import await_fix, background_fix, background_starter
from logctx_lint.rules.rule import Rule


def check(context: TreeContext) -> None:
    if not discarded_awaitables.screen(context.unit):
        return
    for statement, found in discarded_awaitables.dropped_by(context):
        function = context.function_of(statement)
        if found.how is DropKind.PLAIN and context.is_asynchronous(function):
            _report(context, found, by_yield=context.awaits_by_yield(function))


def _report(context: TreeContext, found: Dropped, *, by_yield: bool) -> None:
    callee = context.callee(found.call)
    starter = None if found.is_awaited else background_starter(context, found.kind)
    goes_on = _starts_what_goes_on(context, found)
    cure = "yield it" if by_yield else "await it"
    if goes_on:
        cure = "keep it and look at its outcome"
    if found.is_awaited:
        cure = "await that, too"
    if starter:
        cure += f", or start it with `{starter.text}`"
    fixes: tuple[Fix, ...] = ()
    if not found.is_awaited:
        fixes += () if goes_on else await_fix(context, found.call, by_yield=by_yield)
        fixes += background_fix(context, found.call, starter)
    context.report(
        RULE.code,
        found.expression,
        f"{callee.label} {found.verb} {discard_consequences.fate(context, found)} "
        f"({callee.reason}): {cure}",
        fixes,
        profile=discard_consequences.profile(context, found, can_await=True),
        callee=callee,
    )


def _starts_what_goes_on(context: TreeContext, found: Dropped) -> bool:
    """Whether what is dropped stands for a loop that ends when it is told: who waits is stuck.

    loop.run_in_executor(None, watch, queue)    # def watch(queue): while True: ...
    """
    return not found.kind.is_lazy and any(
        runs_alongside(function)
        for each in taken(context.file, found.call, context.scopes[found.call])
        for function in context.functions(each.node)
    )


RULE = Rule(
    code="LCX101",
    fixes="`await` (unsafe), run in background (unsafe)",
    check=check,
)
