"""`except TimeoutError` stands inside the `async with timeout()` that is to raise it.

## Why

A timeout scope cancels what its block waits for. Inside the block that is a `CancelledError`; only
where the block ends is it turned into `TimeoutError`. A handler inside the block never sees it, and
the error goes on to a caller that expects none. CPython's documentation of
[`asyncio.timeout`](https://docs.python.org/3/library/asyncio-task.html#asyncio.timeout) says so.

## Bad

```python
import asyncio


async def answer(queue: "asyncio.Queue[str]") -> str:
    async with asyncio.timeout(3):
        try:
            return await queue.get()
        except TimeoutError:
            return "nothing came"
```

## Good

```python
import asyncio


async def answer(queue: "asyncio.Queue[str]") -> str:
    try:
        async with asyncio.timeout(3):
            return await queue.get()
    except TimeoutError:
        return "nothing came"
```

## Fix

None: move the `try` around the `async with`.

## Settings

`vocabulary` adds the project's own `timeout-scope` names.

## When not to use it

What is awaited may have a time limit of its own and raise `TimeoutError` by itself: where that can
be seen, or the block waits outside of the `try`, too, nothing is reported.

## Use instead

`try` around `async with`. `logctx_lint.runtime.testing.cancel_at_each_await` shows what a function
does when its waiting is cut short.
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.context import TreeContext, as_try
from logctx_lint.analysis.surroundings import attempts_around
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import Suspension, body_nodes, own_nodes, suspends

_SCOPES = frozenset({Role.TIMEOUT_SCOPE})
_ERRORS = frozenset(
    {"builtins.TimeoutError", "asyncio.TimeoutError", "asyncio.exceptions.TimeoutError"}
)
_WAITED_FOR = ("asyncio.queues.", "asyncio.locks.", "asyncio.tasks.sleep", "asyncio.sleep")
_LIMITED = frozenset({"wait_for", "timeout", "timeout_at", "fail_after", "move_on_after"})
"""Names of what limits a time by itself, whatever it belongs to."""


def check(context: TreeContext) -> None:
    for node, _ in context.unit.statements:
        if not isinstance(node, ast.With | ast.AsyncWith):
            continue
        scope = next((each.context_expr for each in node.items if _limits(context, each)), None)
        if scope is None or _is_caught_outside(context, node):
            continue
        attempt = _waiting(node.body)
        if attempt and not _may_time_out(attempt.body):
            _check_handlers(context, scope, attempt)
        for inner in body_nodes(node):
            other = as_try(inner)
            if other and other is not attempt and _only_waits(context, other.body):
                _check_handlers(context, scope, other)


def _waiting(body: list[ast.stmt]) -> ast.Try | None:
    """The `try` in which a block does all its waiting: elsewhere a handler may be for more."""
    waiting = [each for each in body if suspends([each])]
    if len(waiting) != 1:
        return None
    if isinstance(waiting[0], ast.With | ast.AsyncWith):
        return _waiting(waiting[0].body)
    return as_try(waiting[0])


def _only_waits(context: TreeContext, body: list[ast.stmt]) -> bool:
    """Whether a block waits for nothing but queues, events and the like, which never time out."""
    waiting = [node for node in own_nodes(body) if isinstance(node, Suspension)]
    return bool(waiting) and all(
        isinstance(each, ast.Await)
        and isinstance(each.value, ast.Call)
        and any(name.startswith(_WAITED_FOR) for name in context.names(each.value))
        for each in waiting
    )


def _limits(context: TreeContext, item: ast.withitem) -> bool:
    call = item.context_expr
    return isinstance(call, ast.Call) and Role.TIMEOUT_SCOPE in context.roles(call)


def _check_handlers(context: TreeContext, scope: ast.expr, attempt: ast.Try) -> None:
    for handler in attempt.handlers:
        if handler.type is not None and _catches(context, handler.type):
            context.report(
                RULE.code,
                handler.type,
                f"`{context.line(scope)}` raises TimeoutError where its block ends, which is "
                "outside of this `try`: put the `try` around the `async with`",
            )


def _catches(context: TreeContext, clause: ast.expr) -> bool:
    parts = clause.elts if isinstance(clause, ast.Tuple) else [clause]
    return any(_ERRORS & set(context.names(each)) for each in parts)


def _may_time_out(body: list[ast.stmt]) -> bool:
    """Whether something in a block has a time limit of its own."""
    return any(
        isinstance(node, ast.Raise)
        or (isinstance(node, ast.keyword) and node.arg == "timeout")
        or (isinstance(node, ast.Attribute) and node.attr in _LIMITED)
        or (isinstance(node, ast.Name) and node.id in _LIMITED)
        for node in own_nodes(body)
    )


def _is_caught_outside(context: TreeContext, node: ast.stmt) -> bool:
    """Whether a `try` around the block catches it: the one inside is for something else then."""
    return any(
        handler.type is None or _catches(context, handler.type)
        for attempt in attempts_around(context, node)
        for handler in attempt.handlers
    )


def screen(unit: Unit) -> bool:
    """Whether the unit has both a timeout scope and a handler of its error."""
    return "TimeoutError" in unit.text and unit.may_call(_SCOPES)


RULE = Rule(
    code="LCX309",
    fixes="none",
    screen=screen,
    check=check,
)
