"""Something is given back in `except Exception`, which asyncio's cancellation passes by.

## Why

asyncio's `CancelledError` is a `BaseException`. A handler that frees what the function took and
raises again does that for errors only: where a client disconnects or a time limit ends the waiting,
the connection is neither used nor given back, and some day the pool is empty. The same goes for a
handler that undoes what the function has noted before: the job stays among the active ones, the
cached future is never completed, the flag says forever that somebody is connecting. A child process
that is killed in `except TimeoutError` alone goes on when the caller itself is cancelled. A
connection that is closed where an exchange fails, but not where it is cancelled between request and
answer, gives the next request the answer to this one (profile `strict`, as in
[python-kasa 636](https://github.com/python-kasa/python-kasa/pull/636)); so does one that goes back
to its pool as if it were good ([aiomcache 489](https://github.com/aio-libs/aiomcache/issues/489)).

A callback of a task that asks for `task.exception()` is passed by, too: where the task was
cancelled, that raises `CancelledError`, and the rest of the callback does not run (profile `strict`
where nobody is seen to cancel it, or nothing is lost but a quiet log), as in
[connectors 2905](https://github.com/elastic/connectors/pull/2905).

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

```python
class Registry:
    def __init__(self) -> None:
        self.active: "list[str]" = []

    async def announce(self, name: str) -> None: ...

    async def register(self, name: str) -> None:
        self.active.append(name)
        try:
            await self.announce(name)
        except Exception:
            self.active.remove(name)
            raise
```

```python
import asyncio


class Runner:
    def __init__(self) -> None:
        self.error: "BaseException | None" = None
        self.ready = asyncio.Event()

    async def work(self) -> None: ...

    def start(self) -> None:
        self.task = asyncio.create_task(self.work())
        self.task.add_done_callback(self.ended)

    def ended(self, task: "asyncio.Task[None]") -> None:
        self.error = task.exception()
        self.ready.set()

    def stop(self) -> None:
        self.task.cancel()
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

Where what is freed frees itself when nobody has it any more. What a handler undoes only on some
condition is silent, and so are flags that say how it went, and what the object goes on keeping, to
release it some day. With Twisted, whose `CancelledError`
is an `Exception`, nothing is reported.

## Use instead

`finally`, `except BaseException`, or an `AsyncExitStack` whose `pop_all()` keeps it.
`logctx_lint.runtime.testing.cancel_at_each_await` finds what is left over.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import takewhile

from logctx_lint.analysis.cancellation.cancellation_state import Code
from logctx_lint.analysis.cancellation.half_done_exchanges import (
    closed_where_it_fails,
    given_back_unclosed,
)
from logctx_lint.analysis.cancellation.released_on_failure import released_by
from logctx_lint.analysis.cancellation.state_changes import (
    Change,
    changes,
    is_refused,
    outlives,
    surely_undone_in,
    undone,
    undone_in,
)
from logctx_lint.analysis.cancellation.timed_children import child_ended
from logctx_lint.analysis.cancellation.unasked_outcomes import ADDER, unasked_outcomes
from logctx_lint.analysis.cancellation.undone_elsewhere import is_undone_elsewhere
from logctx_lint.analysis.context import TreeContext, as_try, in_source_order
from logctx_lint.analysis.exception_handlers import Cancellation, caught_by
from logctx_lint.analysis.function_framework import live_cancellation
from logctx_lint.analysis.units import Unit
from logctx_lint.findings import Applicability, Edit, Fix, Profile
from logctx_lint.inference.raised_errors import takes_every_error
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import Suspension, body_nodes, own_nodes, suspends
from logctx_lint.syntax.excerpts import shortened

_LONGEST_TEXT = 60


def check(context: TreeContext) -> None:
    for callback, found in unasked_outcomes(context) if _adds_callback(context.unit) else ():
        asked, module = found.asked, found.code.scope.module.name
        harm = "the rest of the callback does not run" if found.loses_work else "the loop logs that"
        is_seen = found.is_cancelled and found.loses_work
        context.report(
            RULE.code,
            callback,
            f"`{ast.unparse(asked)}` (line {asked.lineno} of {module}) raises CancelledError where "
            f"the task was cancelled, and {harm}: ask `cancelled()` first",
            profile=Profile.RECOMMENDED if is_seen else Profile.STRICT,
        )
    for node, _ in context.unit.statements:
        attempt = as_try(node)
        function = context.function_of(node)
        if attempt and isinstance(function, ast.AsyncFunctionDef) and suspends(attempt.body):
            _check_try(context, function, attempt)


def _check_try(context: TreeContext, function: ast.AsyncFunctionDef, attempt: ast.Try) -> None:
    code = Code(context.file, function, context.unit.scopes[function], by_yield=False)
    # Twisted's is an Exception.
    passing = live_cancellation(code) & (Cancellation.ASYNCIO | Cancellation.TRIO)
    error = "Cancelled" if passing is Cancellation.TRIO else "CancelledError"
    caught = [caught_by(context, each.type).cancellation for each in attempt.handlers]
    if not passing or any(passing & each for each in caught):
        return  # Somebody has thought of it.
    for handler in attempt.handlers:
        ended = child_ended(context, function, attempt, handler)
        if ended is not None:
            context.report(
                RULE.code,
                handler,
                f"`{context.line(ended)}` ends the child only where its time is over: if this is "
                "cancelled, it goes on running; do it in `finally`, or for CancelledError, too",
                span=context.span(handler.type or handler),
            )
        if handler.type is None or not takes_every_error(
            context.resolver, handler.type, context.scopes[handler]
        ):
            continue
        closing = closed_where_it_fails(context, attempt, handler)
        if closing is not None:
            context.report(
                RULE.code,
                handler,
                f"`except {context.line(handler.type)}` calls `{ast.unparse(closing.func)}()`, but "
                f"does not catch {error}: if this is cancelled between request and answer, the "
                "next one reads the answer to this one; close it in `except BaseException`",
                span=context.span(handler.type),
                profile=Profile.STRICT,
            )
            continue
        if not isinstance(handler.body[-1], ast.Raise | ast.Return):
            continue
        unclosed = given_back_unclosed(context, attempt, handler)
        if unclosed is not None:
            marking, giving = unclosed
            context.report(
                RULE.code,
                handler,
                f"`except {context.line(handler.type)}` does `{context.line(marking)}`, but does "
                f"not catch {error}: if this is cancelled between request and answer, line "
                f"{giving.lineno} gives it back as if it were good, and the next one reads the "
                "answer to this one; use `except BaseException`",
                _fixes(context, handler),
                span=context.span(handler.type),
                profile=Profile.STRICT,
            )
            continue
        why = _left(context, function, attempt, handler)
        if why:
            context.report(
                RULE.code,
                handler,
                f"`except {context.line(handler.type)}` {why[0]}, but does not catch {error}: if "
                f"this is cancelled, {why[1]}; {_advice(handler, passing)}",
                _fixes(context, handler),
                span=context.span(handler.type),
            )


def _left(
    context: TreeContext,
    function: ast.AsyncFunctionDef,
    attempt: ast.Try,
    handler: ast.ExceptHandler,
) -> tuple[str, str] | None:
    """What only the handler undoes, and what is left without it."""
    released = released_by(context, function, attempt, handler)
    if released is not None:
        text = ast.unparse(released)
        if context.is_named_at_ends(attempt, text):
            return None
        return f"releases `{text}`", f"`{text}` is never released"
    change = _rolled_back(context, function, attempt, handler)
    if change is None:
        return None
    text = shortened(context.line(change), _LONGEST_TEXT)
    return f"undoes what line {change.lineno} does (`{text}`)", "that is never undone"


def _advice(handler: ast.ExceptHandler, passing: Cancellation) -> str:
    """How to do for a cancellation, too, what a handler does.

    One that goes on, or raises another error, must not get hold of that; and trio's comes again out
    of the handler's own awaits.
    """
    last = handler.body[-1]
    is_let_out = isinstance(last, ast.Raise) and (
        last.exc is None or (isinstance(last.exc, ast.Name) and last.exc.id == handler.name)
    )
    advice = "use `except BaseException`"
    if not is_let_out:
        advice = "do that in an `except BaseException` that ends with a bare `raise`, too"
    if passing is Cancellation.TRIO and suspends(handler.body):
        advice += ", and shield what it awaits"
    return advice


def _rolled_back(
    context: TreeContext,
    function: ast.AsyncFunctionDef,
    attempt: ast.Try,
    handler: ast.ExceptHandler,
) -> ast.stmt | None:
    """A statement that changes what outlives the function, which only the handler undoes."""
    handled = surely_undone_in(handler.body)
    if not handled:
        return None
    kept = {change for block in context.ends(attempt) for change in undone_in(block)}
    scope = context.unit.scopes[function]
    risks = [each for each in body_nodes(attempt) if isinstance(each, Suspension)]
    risk = in_source_order(risks)[0]
    for statement in (*_all_before(context, attempt), *_until_suspended(attempt.body)):
        for change in changes(statement):
            if (
                change in handled
                and change not in kept
                and outlives(change, scope)
                and (
                    change.kind != "flag"
                    or _is_passing(context, function, attempt, statement, change)
                )
                and not is_undone_elsewhere(context, function, statement, risk, change)
            ):
                return statement
    return None


def _all_before(context: TreeContext, attempt: ast.Try) -> Iterator[ast.stmt]:
    """The statements that precede a `try`, or a condition or `with` block that it stands in."""
    yield from context.before(attempt)
    for outer in context.around(attempt):
        if not isinstance(outer, ast.If | ast.With | ast.AsyncWith):
            return
        yield from context.before(outer)


def _is_passing(
    context: TreeContext,
    function: ast.AsyncFunctionDef,
    attempt: ast.Try,
    made: ast.stmt,
    change: Change,
) -> bool:
    """Whether a flag is for as long as the function runs: others say how it went, as those that
    `finally` reads."""
    read = (node for block in context.ends(attempt) for node in own_nodes(block))
    if any(
        isinstance(e, ast.Name | ast.Attribute) and ast.unparse(e) == change.place for e in read
    ):
        return False
    return is_refused(function.body, change, made) or any(
        change in undone(each) for each in _reached_where_all_goes_well(context, attempt)
    )


def _reached_where_all_goes_well(context: TreeContext, attempt: ast.Try) -> Iterator[ast.stmt]:
    """The statements of a `try` and behind it that run in any case where nothing is raised."""
    waiting = [*attempt.body, *attempt.orelse]
    inner: ast.AST = attempt
    for outer in context.around(attempt):
        waiting += context.behind(inner)
        if isinstance(outer, FunctionNode):
            break
        inner = outer
    for statement in waiting:
        yield statement
        if isinstance(statement, ast.With | ast.AsyncWith):
            waiting += statement.body


def _until_suspended(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements of a block that certainly run before anything in it can be cancelled."""
    return list(takewhile(lambda each: not suspends([each]), body))


def _fixes(context: TreeContext, handler: ast.ExceptHandler) -> tuple[Fix, ...]:
    clause, last = handler.type, handler.body[-1]
    # Another exception in its place would hide the cancellation.
    if not isinstance(clause, ast.Name) or not isinstance(last, ast.Raise) or last.exc:
        return ()
    edit = Edit(context.span(clause), "BaseException")
    return (Fix("Catch `BaseException`", Applicability.UNSAFE, (edit,)),)


def _adds_callback(unit: Unit) -> bool:
    return f".{ADDER}(" in unit.text


def screen(unit: Unit) -> bool:
    """Whether an `async def` handles errors, or something adds a callback to a task."""
    text = unit.text
    if _adds_callback(unit):
        return True
    return "async def" in text and "except" in text and ("Exception" in text or "Timeout" in text)


RULE = Rule(
    code="LCX310",
    fixes="`except BaseException` (unsafe)",
    screen=screen,
    check=check,
)
