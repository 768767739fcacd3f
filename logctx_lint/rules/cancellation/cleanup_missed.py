"""Something is given back in `except Exception`, which asyncio's cancellation passes by.

## Why

asyncio's `CancelledError` is a `BaseException`. A handler that frees what the function took and
raises again does that for errors only: where a client disconnects or a time limit ends the waiting,
the connection is neither used nor given back, and some day the pool is empty.

The shape of [psycopg 1208](https://github.com/psycopg/psycopg/issues/1208) and
[httpcore 149](https://github.com/encode/httpcore/issues/149), which lost a connection at every
cancelled request.

## Bad

```python
import asyncio


class Connection:
    async def open(self) -> None: ...

    def close(self) -> None: ...


async def connect() -> Connection:
    connection = Connection()
    try:
        await connection.open()
    except Exception:
        connection.close()
        raise
    return connection
```

## Good

```python
import asyncio


class Connection:
    async def open(self) -> None: ...

    def close(self) -> None: ...


async def connect() -> Connection:
    connection = Connection()
    try:
        await connection.open()
    except BaseException:
        connection.close()
        raise
    return connection
```

## Fix

`except BaseException`, where the handler raises again in any case; unsafe, as it then also runs for
`KeyboardInterrupt` and `SystemExit`.

## Settings

`vocabulary` adds the project's own `releaser` names.

## When not to use it

Where what is freed frees itself when nobody has it any more. With Twisted, whose `CancelledError`
is an `Exception`, nothing is reported.

## Use instead

`finally`, `except BaseException`, or an `AsyncExitStack` whose `pop_all()` keeps it.
`logctx_lint.runtime.testing.cancel_at_each_await` finds what is left over.
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.cancellation_state import Code
from logctx_lint.analysis.context import TreeContext, arguments, as_try
from logctx_lint.analysis.exception_handlers import Cancellation, caught_by
from logctx_lint.analysis.function_framework import live_cancellation
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Applicability, Edit, Fix
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import own_nodes

_RELEASERS = frozenset({Role.RELEASER})
_SUSPENSIONS = (ast.Await, ast.AsyncFor, ast.AsyncWith)


def check(context: TreeContext) -> None:
    for node, _ in context.unit.statements:
        attempt = as_try(node)
        function = context.function_of(node)
        if attempt and isinstance(function, ast.AsyncFunctionDef) and _suspends(attempt.body):
            _check_try(context, function, attempt)


def _suspends(body: list[ast.stmt]) -> bool:
    return any(isinstance(node, _SUSPENSIONS) for node in own_nodes(body))


def _check_try(context: TreeContext, function: ast.AsyncFunctionDef, attempt: ast.Try) -> None:
    code = Code(context.file, function, context.unit.scopes[function], by_yield=False)
    # Twisted's is an Exception.
    passing = live_cancellation(code) & (Cancellation.ASYNCIO | Cancellation.TRIO)
    error = "Cancelled" if passing is Cancellation.TRIO else "CancelledError"
    for handler in attempt.handlers if passing else ():
        clause = caught_by(context, handler.type)
        if passing & clause.cancellation:
            return  # Whatever follows, somebody has thought of it.
        names = context.names(handler.type) if handler.type is not None else ()
        if handler.type is None or "builtins.Exception" not in names:
            continue
        if not isinstance(handler.body[-1], ast.Raise):
            continue
        released = _released(context, function, attempt, handler)
        if released is not None and not _is_released_elsewhere(context, attempt, released.id):
            context.report(
                RULE.code,
                handler,
                f"`except {context.line(handler.type)}` releases `{released.id}`, but does not "
                f"catch {error}: if this is cancelled, `{released.id}` is never released; "
                "use `except BaseException`",
                _fixes(context, handler),
                span=context.span(handler.type),
            )


def _released(
    context: TreeContext,
    function: ast.AsyncFunctionDef,
    attempt: ast.Try,
    handler: ast.ExceptHandler,
) -> ast.Name | None:
    """The local name, bound before the `try` to what a call gave, that the handler releases."""
    for statement in handler.body:
        call = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(call, ast.Await):
            call = call.value
        if not isinstance(call, ast.Call) or not context.file.may_play(call.func, _RELEASERS):
            continue
        named = [call.func.value] if isinstance(call.func, ast.Attribute) else []
        for each in (*named, *arguments(call)):
            if isinstance(each, ast.Name) and _is_taken_before(context, function, attempt, each):
                return each
    return None


def _is_taken_before(
    context: TreeContext, function: ast.AsyncFunctionDef, attempt: ast.Try, name: ast.Name
) -> bool:
    scope = context.unit.scopes[function]
    bindings = scope.reaching(name.id, (name.lineno, name.col_offset))
    return bool(bindings) and all(
        each.kind == "value" and _is_call(each.value) and each.position[0] < attempt.lineno
        for each in bindings
    )


def _is_call(node: ast.expr | None) -> bool:
    return isinstance(node.value if isinstance(node, ast.Await) else node, ast.Call)


def _is_released_elsewhere(context: TreeContext, attempt: ast.Try, name: str) -> bool:
    """Whether a `finally`, a `with` or an outer handler sees to it, too."""
    blocks: list[list[ast.stmt]] = [attempt.finalbody]
    for outer in context.around(attempt):
        if isinstance(outer, FunctionNode):
            break
        blocks.append(getattr(outer, "finalbody", []))
        blocks += [each.body for each in getattr(outer, "handlers", [])]
    return any(
        isinstance(node, ast.Name) and node.id == name
        for block in blocks
        for node in own_nodes(block)
    )


def _fixes(context: TreeContext, handler: ast.ExceptHandler) -> tuple[Fix, ...]:
    clause, last = handler.type, handler.body[-1]
    # Another exception in its place would hide the cancellation.
    if not isinstance(clause, ast.Name) or not isinstance(last, ast.Raise) or last.exc:
        return ()
    edit = Edit(context.span(clause), "BaseException")
    return (Fix("Catch `BaseException`", Applicability.UNSAFE, (edit,)),)


def screen(unit: Unit) -> bool:
    """Whether an `async def` has a handler that releases and raises."""
    text = unit.text
    return "except Exception" in text and "raise" in text and unit.may_call(_RELEASERS)


RULE = Rule(
    code="LCX310",
    fixes="`except BaseException` (unsafe)",
    screen=screen,
    check=check,
)
