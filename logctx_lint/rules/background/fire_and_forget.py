"""An awaitable is started and forgotten, where it cannot be awaited or by hand.

## Why

In a plain function nothing can wait for the work. A coroutine then never runs at all. A Deferred
does run: it ends in a log context that nobody resets, which leaks into the reactor and is charged
with whatever comes next, and its failure is only seen when it is collected.

`ensureDeferred(...)` and a chain of callbacks do start the work, but they know nothing of log
contexts either. The background starter keeps the caller's context for the work, and resets it
when the work ends.

## Bad

```python
async def background_operation() -> None: ...


def on_timer() -> None:
    background_operation()
```

```python
from twisted.internet.defer import ensureDeferred


async def background_operation() -> None: ...


async def handle() -> None:
    ensureDeferred(background_operation())
```

```python
from twisted.internet.defer import Deferred


def fetch() -> "Deferred[str]": ...


def on_timer() -> None:
    fetch().addCallback(print)
```

## Good

```python
from logctx_lint.runtime import run_in_background


async def background_operation() -> None: ...


def on_timer() -> None:
    run_in_background(background_operation)
```

## Fix

Unsafe: it starts work that did not run before, or changes the context that it runs in. Where there
is no background starter, but a set of tasks in the class or module, a task is started and kept
there (unsafe, too).

## Settings

`vocabulary` adds the project's own `background-starter`, `safe-decorator` and `droppable` names.

## Use instead

`logctx_lint.runtime.run_in_background`, or `run_as_background_process` for work that outlives the
request (`logctx_lint.runtime.tasks.run_in_background` on asyncio).
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.awaitables import discard_consequences, discarded_awaitables
from logctx_lint.analysis.awaitables.discarded_awaitables import DropKind, Dropped
from logctx_lint.analysis.context import TreeContext, arguments
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Fix
from logctx_lint.fixes.edits import background_fix, background_starter, started_by_hand_fix
from logctx_lint.fixes.task_sets import keep_fix, starts_by_asyncio, task_set
from logctx_lint.inference.types import Kind
from logctx_lint.rules.rule import Rule

_CALLBACK_TAKER = frozenset({Role.CALLBACK_TAKER})


def check(context: TreeContext) -> None:
    if discarded_awaitables.screen(context.unit):
        for statement, found in discarded_awaitables.dropped_by(context):
            can_await = context.is_asynchronous(context.function_of(statement))
            if not can_await or found.how is not DropKind.PLAIN:
                _report(context, found)
    for function, _ in context.unit.nodes(ast.Lambda):
        if _is_callback(context, function):
            for found in discarded_awaitables.dropped_in(context, function.body):
                # `lambda: f(x)` is itself an asynchronous function: LCX106.
                if found.how is not DropKind.PLAIN or found.call is not function.body:
                    _report(context, found)


def _is_callback(context: TreeContext, function: ast.Lambda) -> bool:
    taker = context.taker(function)
    return (
        taker is not None
        and context.file.may_play(taker.func, _CALLBACK_TAKER)
        and Role.CALLBACK_TAKER in context.roles(taker)
    )


def _report(context: TreeContext, found: Dropped) -> None:
    function = context.function_of(found.call)
    starter = background_starter(context, found.kind)
    if isinstance(function, ast.FunctionDef) and function.name == "__del__":
        starter = None  # There may be no loop any more.
    fixes: tuple[Fix, ...] = ()
    callee = None
    as_coroutine = starter is not None and starter.takes_coroutine
    if Role.HAND_STARTER in context.roles(found.call):
        what, work = _by_hand(context, found, as_coroutine=as_coroutine)
        fixes = started_by_hand_fix(context, found.call, starter)
    else:
        callee = context.callee(found.call)
        fate = discard_consequences.fate(context, found)
        what = f"{callee.label} {found.verb} {fate} ({callee.reason})"
        has_arguments = bool(arguments(found.call))
        work = callee.handed_on(has_arguments=has_arguments, as_coroutine=as_coroutine)
        fixes = background_fix(context, found.call, starter)
    can_await = context.is_asynchronous(function)
    kept_in = ""
    if not starter and not can_await and _may_be_task(context, found):
        kept_in = task_set(context, found.call)
        if kept_in and isinstance(context.parent(found.call), ast.Expr):
            fixes = keep_fix(context, found.call, kept_in, "asyncio.create_task")
    if starter:
        cure = f"start it with `{starter.text}{work}`"
    elif can_await:
        cure = "yield it" if context.awaits_by_yield(function) else "await it"
    else:
        kind = found.kind if found.how is DropKind.PLAIN else Kind.DEFERRED
        cure = discard_consequences.cure(context, kind, in_lambda=isinstance(function, ast.Lambda))
        if kept_in:
            cure += f" in `{kept_in}`"
    context.report(
        RULE.code,
        found.expression,
        f"{what}: {cure}",
        fixes,
        profile=discard_consequences.profile(context, found, can_await=can_await),
        callee=callee,
    )


def _may_be_task(context: TreeContext, found: Dropped) -> bool:
    """Whether the way out is to start a task, in code of asyncio."""
    is_plain = found.how is DropKind.PLAIN and found.kind is Kind.COROUTINE and found.is_sure
    is_asyncio_s = not context.file.traits.uses_twisted and starts_by_asyncio(context.file.tree)
    return is_plain and is_asyncio_s and not found.is_awaited


def _by_hand(context: TreeContext, found: Dropped, *, as_coroutine: bool) -> tuple[str, str]:
    """What `ensureDeferred(f(x))` or `maybeDeferred(f, x)` does, and how to pass `f` on."""
    by = context.callee(found.call).label
    fate = f"runs unawaited{discard_consequences.losses(context, sees_failure=found.sees_failure)}"
    match arguments(found.call):
        case [ast.Call() as started, *_]:
            func, has_arguments = started.func, bool(arguments(started))
        case [given, *others] if context.functions(given):
            func, has_arguments = given, bool(others)
        case _:
            return f"{by} starts work that {fate}", ""
    callee = context.called(func)
    what = f"{by} starts {callee.label}, which {fate} ({callee.reason})"
    return what, callee.handed_on(has_arguments=has_arguments, as_coroutine=as_coroutine)


RULE = Rule(
    code="LCX201",
    fixes="`run_in_background(f, ...)` (unsafe), or the set of tasks that there is (unsafe)",
    check=check,
)
