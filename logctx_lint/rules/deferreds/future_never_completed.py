"""Something others wait for is never completed when the work behind it is cut short.

## Why

Whoever waits for a Future that nobody completes waits forever. An `except Exception` around an
`await` that hands the failure to a Future does so for errors only: asyncio's cancellation is a
`BaseException` and passes by. The Future stays pending, with all that wait for it, when the one
task that did the work is cancelled, as by a client that disconnects or a time limit.

So does whoever waits for an `asyncio.Event` that is set behind the work, and not in `finally`, and
for a Future that is made for others to wait for, and completed behind the work, and only there
([peewee-async 24](https://github.com/05bit/peewee-async/pull/24)). So does whoever joins a queue of
which a worker does not mark each item as done, be it good or bad
([pyrogram 1305](https://github.com/pyrogram/pyrogram/pull/1305)), and whoever waits for a Future
that stands there until a task takes its place
([nats.py 969](https://github.com/nats-io/nats.py/issues/969)).

An `asyncio.Condition` can be notified by whoever holds its lock, and by nobody else: `notify()`
raises `RuntimeError`, and those who wait for the condition sleep on.

The other way is a connection that is lost, or a client that is closed: what was asked for on it
gets no answer any more, and those who wait for one have to be told (profile `strict`). So does
who waits for what a Twisted `ClientFactory` keeps, where no connection is made at all
([cowrie 40450](https://github.com/cowrie/cowrie/issues/40450)), or for a `Deferred()` that a
function gives away and nobody else has ([trigger 129](https://github.com/trigger/trigger/issues/129)).

In `strict`, too, is a handler that fails a Future with an `Exception`, and is passed by when the
function is cancelled. That is the shape of
[aiomcache 489](https://github.com/aio-libs/aiomcache/issues/489), where a cancelled request does
not hand on its failure, and the next one gets its answer.

## Bad

```python
import asyncio


class Loader:
    def __init__(self) -> None:
        self.loading: "dict[str, asyncio.Future[str]]" = {}

    async def fetch(self, key: str) -> str:
        return key

    async def load(self, key: str) -> str:
        if key in self.loading:
            return await asyncio.shield(self.loading[key])
        future: "asyncio.Future[str]" = asyncio.get_running_loop().create_future()
        self.loading[key] = future
        try:
            value = await self.fetch(key)
        except Exception as error:
            future.set_exception(error)
            raise
        future.set_result(value)
        return value
```

```python
from twisted.internet.defer import Deferred
from twisted.protocols.basic import LineReceiver


class Client(LineReceiver):
    def __init__(self):
        self.pending = {}

    def ask(self, name):
        d = self.pending[name] = Deferred()
        self.sendLine(name)
        return d

    def lineReceived(self, line):
        self.pending.pop(line).callback(line)

    def connectionLost(self, reason):
        self.pending.clear()
```

```python
import asyncio


class Frames:
    def __init__(self) -> None:
        self.frames: "list[bytes]" = []
        self.changed = asyncio.Condition()

    async def get(self) -> bytes:
        async with self.changed:
            await self.changed.wait_for(lambda: self.frames)
            return self.frames.pop()

    def put(self, frame: bytes) -> None:
        self.frames.append(frame)
        self.changed.notify()
```

## Good

```python
import asyncio


class Loader:
    def __init__(self) -> None:
        self.loading: "dict[str, asyncio.Future[str]]" = {}

    async def fetch(self, key: str) -> str:
        return key

    async def load(self, key: str) -> str:
        if key in self.loading:
            return await asyncio.shield(self.loading[key])
        future: "asyncio.Future[str]" = asyncio.get_running_loop().create_future()
        self.loading[key] = future
        try:
            value = await self.fetch(key)
        except asyncio.CancelledError:
            future.cancel()
            raise
        except Exception as error:
            future.set_exception(error)
            raise
        future.set_result(value)
        return value
```

A connection that is lost fails what is still waited for:

```python
from twisted.internet.defer import Deferred
from twisted.protocols.basic import LineReceiver


class Client(LineReceiver):
    def __init__(self):
        self.pending = {}

    def ask(self, name):
        d = self.pending[name] = Deferred()
        self.sendLine(name)
        return d

    def lineReceived(self, line):
        self.pending.pop(line).callback(line)

    def connectionLost(self, reason):
        pending, self.pending = self.pending, {}
        for d in pending.values():
            d.errback(reason)
```

## Fix

None: whether those who wait are to be cancelled, or to try themselves, is for a person to say.

## When not to use it

Where nobody else waits for it. A `finally` or an outer handler that mentions it is silent, and so
is a future of `self` that another method cancels or fails, or for which its class waits with
`wait_for` only, and one that whoever calls the function ends where that is cancelled. So is an
event that other code sets, too.

## Use instead

`except BaseException`, or `finally: future.cancel()`; with Twisted
`logctx_lint.runtime.ObservableDeferred`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.context import TreeContext, as_try
from logctx_lint.analysis.deferreds.ended_waiters import is_ended_elsewhere, kept_in
from logctx_lint.analysis.deferreds.forgotten_by_factories import FAILED, forgotten
from logctx_lint.analysis.deferreds.never_completed import bare_results, never_completed
from logctx_lint.analysis.deferreds.stored_waiters import StoredWaiter, left_waiters
from logctx_lint.analysis.deferreds.unfinished_queues import joined_in_vain, unfinished_items
from logctx_lint.analysis.deferreds.unfinished_work import unfinished
from logctx_lint.analysis.deferreds.unlocked_conditions import NOTIFYING, notified_unlocked
from logctx_lint.analysis.deferreds.unset_events import unset_events
from logctx_lint.analysis.exception_handlers import Cancellation, caught_by
from logctx_lint.analysis.own_class import own_methods
from logctx_lint.analysis.units import Unit
from logctx_lint.config.settings import Framework
from logctx_lint.findings import Profile
from logctx_lint.inference.types import Kind
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import body_nodes, last_name, own_nodes, suspends

_DEFERRED = "Deferred("
_OF_QUEUES = (".task_done()", ".join()")


def check(context: TreeContext) -> None:
    unit = context.unit
    if not context.file.module.is_test:
        if _may_store(unit):
            for found in left_waiters(context):
                _report_stored(context, found)
        for node in unit.scopes if _DEFERRED in unit.text else ():
            if isinstance(node, FunctionNode):
                _check_bare(context, node)
    if _may_forget(unit):
        _check_forgotten(context)
    if context.file.traits.framework is not Framework.TWISTED:
        _check_asyncio(context)


def _check_asyncio(context: TreeContext) -> None:
    """What only code of asyncio can do wrong."""
    unit = context.unit
    if _may_notify(unit):
        _check_conditions(context)
    for node, _ in unit.statements:
        attempt = as_try(node)
        function = context.function_of(node)
        if attempt and isinstance(function, ast.AsyncFunctionDef) and suspends(attempt.body):
            _check_try(context, attempt)
    _check_never_completed(context)
    for method in unit.scopes:
        if isinstance(method, ast.AsyncFunctionDef):
            if "Event(" in unit.text:
                _check_events(context, method)
            if any(name in unit.text for name in _OF_QUEUES):
                _check_queues(context, method)
            _check_unfinished(context, method)


def _check_forgotten(context: TreeContext) -> None:
    for forgot in forgotten(context):
        does = f"`{FAILED}()` completes nothing" if forgot.method else "nothing is done then"
        context.report(
            RULE.code,
            forgot.kept,
            f"whoever waits for `self.{forgot.attribute}` waits forever where the connection "
            f"fails, as {does}: give it the failure",
            profile=Profile.RECOMMENDED if forgot.method else Profile.STRICT,
        )


def _check_conditions(context: TreeContext) -> None:
    for call in notified_unlocked(context):
        context.report(
            RULE.code,
            call,
            f"`{context.line(call.func)}()` raises RuntimeError where nobody holds the lock of the "
            "condition, and whoever waits for that is not woken: call it inside `async with`",
        )


def _check_never_completed(context: TreeContext) -> None:
    for made, place, waiting in _never_completed(context):
        context.report(
            RULE.code,
            made,
            f"no code completes this, so that the `await` in line {waiting.lineno} waits forever "
            f"where `{ast.unparse(place)}` still is what is put there here",
            # Code of other files may do it, as it has the object.
            profile=Profile.RECOMMENDED if place.attr.startswith("_") else Profile.STRICT,
        )


def _check_unfinished(context: TreeContext, method: ast.AsyncFunctionDef) -> None:
    for each in unfinished(context, method):
        context.report(
            RULE.code,
            each.risk,
            f"where this fails or is cancelled, `{each.place}` is never completed (line "
            f"{each.setting.lineno}), and whoever waits for it waits forever: fail it in "
            "`except BaseException`",
        )


def _check_bare(context: TreeContext, function: FunctionNode) -> None:
    for returned in bare_results(context, function):
        context.report(
            RULE.code,
            returned,
            "nobody else has this Deferred, so that whoever waits for it waits forever: give a "
            "failure, or something that is done",
            profile=Profile.STRICT,
        )


def _never_completed(
    context: TreeContext,
) -> Iterator[tuple[ast.Assign, ast.Attribute, ast.Await]]:
    method, owner = context.unit.node, context.unit.scope.owner
    makes = "Future(" in context.unit.text or "create_future(" in context.unit.text
    if (
        makes
        and owner is not None
        and isinstance(method, FunctionNode)
        and not context.resolver.references.subclasses(owner)
    ):
        yield from never_completed(context, method)


def _check_events(context: TreeContext, method: ast.AsyncFunctionDef) -> None:
    for found in unset_events(context, method):
        risk = found.risk
        context.report(
            RULE.code,
            found.made,
            f"where line {risk.line} {'raises or is' if risk.may_fail else 'is'} cancelled, "
            f"`{found.place}` is never set (line {found.setting.lineno}), and whoever waits for it "
            "waits forever: set it in `finally`",
        )


def _check_queues(context: TreeContext, method: ast.AsyncFunctionDef) -> None:
    for found in unfinished_items(context, method):
        queue = ast.unparse(found.done.func).removesuffix(".task_done")
        waiting = f"whoever waits for `{queue}.join()` (line {found.joined}) waits forever"
        if isinstance(found.skipping, ast.stmt):
            context.report(
                RULE.code,
                found.skipping,
                f"this goes on with the next item without `{queue}.task_done()` (line "
                f"{found.done.lineno}) for this one, and {waiting}: call it in `finally`",
            )
        else:
            context.report(
                RULE.code,
                found.done,
                f"where line {found.skipping.line} raises, this is not reached, and {waiting}: "
                "call it in `finally`",
                profile=Profile.STRICT,
            )
    for call in joined_in_vain(context, method):
        queue = ast.unparse(call.func).removesuffix(".join")
        is_private = queue.removeprefix("self.").startswith("_")
        context.report(
            RULE.code,
            call,
            f"this waits forever once something was put in, as nobody calls `{queue}.task_done()` "
            "for what is taken out: call it when the work is done",
            # Code of other files may do it, as it has the object.
            profile=Profile.RECOMMENDED if is_private else Profile.STRICT,
        )


def _report_stored(context: TreeContext, found: StoredWaiter) -> None:
    if found.end is None:
        why = "nothing fails it when the connection is lost"
    else:
        name = f"`{getattr(found.end, 'name', '')}()`"
        why = f"{name} {'throws it away' if found.is_dropped else 'does not complete it'}"
    context.report(
        RULE.code,
        found.statement,
        f"`self.{found.attribute}` keeps what others wait for, and {why}, so that they wait "
        "forever: fail what is left there",
        profile=Profile.STRICT,
    )


def _may_store(unit: Unit) -> bool:
    return "self." in unit.text and ("Deferred" in unit.text or "create_future" in unit.text)


def _may_forget(unit: Unit) -> bool:
    return "def __init__" in unit.text and unit.file.source.mentions("ClientFactory")


def _may_notify(unit: Unit) -> bool:
    return any(f".{name}(" in unit.text for name in NOTIFYING)


def _check_try(context: TreeContext, attempt: ast.Try) -> None:
    handlers = attempt.handlers
    if any(Cancellation.ASYNCIO in caught_by(context, each.type).cancellation for each in handlers):
        return  # Whatever follows, somebody has thought of it.
    for handler in handlers:
        if handler.type is None or "builtins.Exception" not in context.names(handler.type):
            continue
        for future in _failed(context, handler):
            text = ast.unparse(future)
            if not (
                context.is_named_at_ends(attempt, text)
                or is_ended_elsewhere(context, attempt, future)
                or _is_waited_for_in_time(context, future)
                or _is_left_pending(context, attempt, future)
            ):
                context.report(
                    RULE.code,
                    handler.type,
                    f"`except {context.line(handler.type)}` does not catch CancelledError: where "
                    f"this is cancelled, whoever waits for `{text}` waits forever; cancel it, too",
                    profile=Profile.STRICT,  # Who cancels it may be seldom, or take all with it.
                )
                break


def _failed(context: TreeContext, handler: ast.ExceptHandler) -> Iterator[ast.expr]:
    """The futures of asyncio that a handler gives its error to."""
    for node in body_nodes(handler):
        match node:
            case ast.Call(ast.Attribute(future, "set_exception")):
                answer = context.awaitability(future)
                is_future = answer.is_certain and answer.kind is Kind.FUTURE
                if is_future and not _is_new(handler, ast.unparse(future)):
                    yield future


def _is_new(handler: ast.ExceptHandler, text: str) -> bool:
    """Whether the handler makes the future itself, so that nobody waits for it yet."""
    return any(
        isinstance(node, ast.Name | ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and ast.unparse(node) == text
        for node in body_nodes(handler)
    )


def _is_left_pending(context: TreeContext, attempt: ast.Try, future: ast.expr) -> bool:
    """Whether a function ends well without having completed somebody else's future, too.

    result = await matches(event)        # In the `try`.
    if not result:
        return                           # The next event will, perhaps.
    self.future.set_result(event)
    """
    text = ast.unparse(future)
    if isinstance(future, ast.Name) and context.scopes[future].bindings.get(future.id):
        return False
    for statement in (*attempt.orelse, *context.behind(attempt)):
        nodes = list(own_nodes([statement]))
        if any(_completes(each, text) for each in nodes):
            return False
        if any(isinstance(each, ast.Return) for each in nodes):
            return True
    return False


def _completes(node: ast.AST, text: str) -> bool:
    match node:
        case ast.Call(ast.Attribute(place, "set_result" | "set_exception" | "cancel")):
            return ast.unparse(place) == text
    return False


def _is_waited_for_in_time(context: TreeContext, future: ast.expr) -> bool:
    """Whether all of the class that waits for what stands in this attribute has a time limit."""
    place = kept_in(future, context.function_of(future))
    limits: set[bool] = set()
    for function in own_methods(context) if place else ():
        for node in body_nodes(function):
            match node:
                case ast.Await(ast.Call(called, [waited, *limit], keywords)) if (
                    kept_in(waited, function) == place
                ):
                    given = [*limit, *(each.value for each in keywords)]
                    is_limited = last_name(called) == "wait_for" and any(
                        not isinstance(each, ast.Constant) or each.value for each in given
                    )
                    limits.add(is_limited)
                case ast.Await(waited) if kept_in(waited, function) == place:
                    limits.add(False)
    return limits == {True}


def screen(unit: Unit) -> bool:
    """Whether a handler hands its error to a future, or a method may keep one."""
    if "Event(" in unit.text and "async def" in unit.text:
        return True
    if "Future(" in unit.text or "create_future(" in unit.text:
        return True
    if any(name in unit.text for name in _OF_QUEUES):
        return True
    if _may_notify(unit) or _may_forget(unit) or _DEFERRED in unit.text:
        return True
    return _may_store(unit) or (".set_exception(" in unit.text and "except Exception" in unit.text)


RULE = Rule(
    code="LCX508",
    fixes="none",
    screen=screen,
    check=check,
)
