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
[python-kasa 636](https://github.com/python-kasa/python-kasa/pull/636)).

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
condition is silent, and so are flags that say how it went. With Twisted, whose `CancelledError`
is an `Exception`, nothing is reported.

## Use instead

`finally`, `except BaseException`, or an `AsyncExitStack` whose `pop_all()` keeps it.
`logctx_lint.runtime.testing.cancel_at_each_await` finds what is left over.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import takewhile

from logctx_lint.analysis.called_code import code_of
from logctx_lint.analysis.cancellation.adopted_sockets import is_adopted
from logctx_lint.analysis.cancellation.cancellation_state import Code
from logctx_lint.analysis.cancellation.half_done_exchanges import closed_where_it_fails
from logctx_lint.analysis.cancellation.state_changes import (
    Change,
    called,
    changes,
    given_back,
    is_refused,
    outlives,
    surely_undone_in,
    undone,
    undone_in,
)
from logctx_lint.analysis.cancellation.timed_children import child_ended
from logctx_lint.analysis.cancellation.undone_elsewhere import is_undone_elsewhere
from logctx_lint.analysis.context import TreeContext, as_try, in_source_order
from logctx_lint.analysis.exception_handlers import Cancellation, caught_by
from logctx_lint.analysis.function_framework import live_cancellation
from logctx_lint.analysis.started_tasks import class_node
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Applicability, Edit, Fix, Profile
from logctx_lint.inference.known_names import APPENDERS, QUEUE_PUTS
from logctx_lint.inference.raised_errors import takes_every_error
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import Suspension, all_nodes, own_nodes, suspends

_RELEASERS = frozenset({Role.RELEASER})
_EXITS = frozenset({"__aexit__", "__exit__"})
_EXIT_STACKS = frozenset({"contextlib.ExitStack", "contextlib.AsyncExitStack"})
_TAKERS = frozenset({"pop", "popleft", "popitem", "get", "get_nowait"})
_PUTTERS = APPENDERS | QUEUE_PUTS
"""Methods that take something out of a collection or queue, and those that put it there."""


def check(context: TreeContext) -> None:
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
    for handler in attempt.handlers if passing else ():
        clause = caught_by(context, handler.type)
        if passing & clause.cancellation:
            return  # Whatever follows, somebody has thought of it.
        ended = child_ended(context, function, attempt, handler)
        if ended is not None and not _is_thought_of(context, attempt, handler, passing):
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
        why = _left(context, function, attempt, handler)
        if why:
            context.report(
                RULE.code,
                handler,
                f"`except {context.line(handler.type)}` {why[0]}, but does not catch {error}: if "
                f"this is cancelled, {why[1]}; use `except BaseException`",
                _fixes(context, handler),
                span=context.span(handler.type),
            )


def _is_thought_of(
    context: TreeContext, attempt: ast.Try, handler: ast.ExceptHandler, passing: Cancellation
) -> bool:
    """Whether another handler catches the cancellation."""
    others = (each for each in attempt.handlers if each is not handler)
    return any(passing & caught_by(context, each.type).cancellation for each in others)


def _left(
    context: TreeContext,
    function: ast.AsyncFunctionDef,
    attempt: ast.Try,
    handler: ast.ExceptHandler,
) -> tuple[str, str] | None:
    """What only the handler sees to, and what is left without it."""
    released = _released(context, function, attempt, handler)
    if released is not None:
        text = ast.unparse(released)
        if context.is_named_at_ends(attempt, text):
            return None
        return f"releases `{text}`", f"`{text}` is never released"
    change = _rolled_back(context, function, attempt, handler)
    if change is None:
        return None
    made, undoing = change
    return (
        f"undoes what line {made.lineno} does (`{context.line(undoing)}`)",
        "that is never undone",
    )


def _rolled_back(
    context: TreeContext,
    function: ast.AsyncFunctionDef,
    attempt: ast.Try,
    handler: ast.ExceptHandler,
) -> tuple[ast.stmt, ast.stmt] | None:
    """A statement that changes what outlives the function, and the one that undoes it."""
    handled = surely_undone_in(handler.body)
    if not handled:
        return None
    kept = {change for block in context.ends(attempt) for change in undone_in(block)}
    scope = context.unit.scopes[function]
    risks = [each for each in own_nodes(attempt.body) if isinstance(each, Suspension)]
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
                return statement, handled[change]
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


def _released(
    context: TreeContext,
    function: ast.AsyncFunctionDef,
    attempt: ast.Try,
    handler: ast.ExceptHandler,
) -> ast.expr | None:
    """What the handler releases and a call gave before the `try`: a local name, or an attribute
    that nobody else releases."""
    for statement in handler.body:
        call = called(statement) if isinstance(statement, ast.Expr) else None
        if call is None:
            continue
        put_back = _put_back(context, function, attempt, call)
        if put_back is not None:
            return put_back
        for each in _given_back_by(context, call):
            match each:
                case ast.Name():
                    if _is_taken_before(context, function, attempt, each) and not (
                        _is_empty_stack(context, attempt, each)
                        or is_adopted(context, attempt, each.id)
                    ):
                        return each
                case ast.Attribute(ast.Name("self"), name):
                    is_taken = any(_fills(before, each) for before in context.before(attempt))
                    if is_taken and not _is_released_by_others(context, function, call, name):
                        return each
    return None


def _given_back_by(context: TreeContext, call: ast.Call) -> Iterator[ast.expr]:
    match call.func:
        case ast.Attribute(receiver, name) if name in _EXITS:  # Entered by hand.
            yield receiver
        case func if context.file.may_play(func, _RELEASERS):
            yield from given_back(call)
        case _:
            yield from _given_back_inside(context, call)


def _is_empty_stack(context: TreeContext, attempt: ast.Try, name: ast.Name) -> bool:
    """Whether a name holds an exit stack that nothing is on wherever a `try` may be cancelled.

    stack = AsyncExitStack()
    try:
        response = await stack.enter_async_context(request(url))
    """
    bindings = context.scopes[name].reaching(name.id, (name.lineno, name.col_offset))
    if not all(
        isinstance(each.value, ast.Call) and _EXIT_STACKS & set(context.names(each.value))
        for each in bindings
    ):
        return False
    own = [*context.before(attempt), *attempt.body]
    filling = [
        node
        for node in own_nodes(own)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == name.id
    ]
    risks = [each for each in own_nodes(attempt.body) if isinstance(each, Suspension)]
    last = in_source_order(risks)[-1]
    return all((each.lineno, each.col_offset) >= (last.lineno, last.col_offset) for each in filling)


def _given_back_inside(context: TreeContext, call: ast.Call) -> Iterator[ast.Name]:
    """What a function of the project gives back, or forgets, of what it is given.

    async def _discard(self, connection):
        self._open.remove(connection)
        await connection.close()
    """
    if not any(isinstance(each, ast.Name) for each in call.args):
        return
    for function in context.functions(call.func):
        code = code_of(function)
        names = [each.name for each in function.facts.parameters]
        if function.owner is not None:
            names = names[1:]
        for name, given in zip(names, call.args, strict=False):
            if (
                isinstance(given, ast.Name)
                and code
                and any(_ends(context, each, name) for each in code.nodes)
            ):
                yield given


def _ends(context: TreeContext, node: ast.AST, name: str) -> bool:
    """Whether a call releases what a name holds."""
    match node:
        case ast.Call(ast.Attribute(ast.Name(released)) as releaser, []):
            return released == name and context.file.may_play(releaser, _RELEASERS)
    return False


def _put_back(
    context: TreeContext, function: ast.AsyncFunctionDef, attempt: ast.Try, call: ast.Call
) -> ast.Name | None:
    """What a call puts back where it was taken from: `c = idle.pop()`, `idle.append(c)`."""
    match call:
        case ast.Call(ast.Attribute(place, adder), [ast.Name() as name]) if adder in _PUTTERS:
            if not _is_taken_before(context, function, attempt, name):
                return None
        case _:
            return None
    scope = context.unit.scopes[function]
    for binding in scope.reaching(name.id, (name.lineno, name.col_offset)):
        value = binding.value
        match value.value if isinstance(value, ast.Await) else value:
            case ast.Call(ast.Attribute(source, taker)) if taker in _TAKERS and ast.unparse(
                source
            ) == ast.unparse(place):
                continue
        return None
    return name


def _fills(statement: ast.stmt, place: ast.Attribute) -> bool:
    match statement:
        case ast.Assign([target], value):
            return _is_call(value) and ast.unparse(target) == ast.unparse(place)
    return False


def _is_released_by_others(
    context: TreeContext, function: ast.AsyncFunctionDef, call: ast.Call, name: str
) -> bool:
    """Whether other code of the file calls a method of the same name on such an attribute."""
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    cls = class_node(context) if function.name == "__aenter__" else None
    # It is not called where `__aenter__` does not come to its end.
    ends = [each for each in cls.body if getattr(each, "name", "") == "__aexit__"] if cls else []
    unreached = {node for each in ends for node in all_nodes(each)}
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == method
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == name
        and node is not call.func
        and node not in unreached
        for node in all_nodes(context.file.tree)
    )


def _is_taken_before(
    context: TreeContext, function: ast.AsyncFunctionDef, attempt: ast.Try, name: ast.Name
) -> bool:
    if _is_bound_last(context, attempt, name.id):
        return True
    scope = context.unit.scopes[function]
    bindings = scope.reaching(name.id, (name.lineno, name.col_offset))
    return bool(bindings) and all(
        each.kind == "value" and _is_call(each.value) and each.position[0] < attempt.lineno
        for each in bindings
    )


def _is_bound_last(context: TreeContext, attempt: ast.Try, name: str) -> bool:
    """Whether a call binds a name in the same block before a `try`, and nothing does in that."""
    if any(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
        for node in own_nodes(attempt.body)
    ):
        return False
    for statement in reversed(context.before(attempt)):
        match statement:
            case ast.Assign([ast.Name(bound)], value) if bound == name:
                return _is_call(value)
        if any(
            isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
            for node in own_nodes([statement])
        ):
            return False
    return False


def _is_call(node: ast.expr | None) -> bool:
    return isinstance(node.value if isinstance(node, ast.Await) else node, ast.Call)


def _fixes(context: TreeContext, handler: ast.ExceptHandler) -> tuple[Fix, ...]:
    clause, last = handler.type, handler.body[-1]
    # Another exception in its place would hide the cancellation.
    if not isinstance(clause, ast.Name) or not isinstance(last, ast.Raise) or last.exc:
        return ()
    edit = Edit(context.span(clause), "BaseException")
    return (Fix("Catch `BaseException`", Applicability.UNSAFE, (edit,)),)


def screen(unit: Unit) -> bool:
    """Whether an `async def` handles errors."""
    text = unit.text
    return "async def" in text and "except" in text and ("Exception" in text or "Timeout" in text)


RULE = Rule(
    code="LCX310",
    fixes="`except BaseException` (unsafe)",
    screen=screen,
    check=check,
)
