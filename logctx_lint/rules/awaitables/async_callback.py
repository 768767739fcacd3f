"""An asynchronous function is a callback of something that throws its result away.

## Why

The reactor, the event loop, a thread or a signal calls a function and does not look at what it
gives. A coroutine then never runs at all. A Deferred runs, but its failure goes unseen and its log
context leaks. `addCallback` and system event triggers do wait for a Deferred, but for no coroutine:
that becomes the result, and never runs. So it is with an `async def` that overrides a plain method
which the base class itself calls, with `__len__`, `__contains__` and their kin, with the tests of a
plain `unittest.TestCase`, and with commands and jobs whose library knows no coroutines (`click`,
`celery`).

## Bad

```python
from twisted.internet import reactor


async def poll() -> None: ...


def schedule() -> None:
    reactor.callLater(1, poll)
```

```python
from twisted.internet.defer import Deferred


async def record(name: str) -> None: ...


def watch(joined: "Deferred[str]") -> None:
    joined.addCallback(lambda name: record(name))
```

```python
from typing import Callable


async def on_change(name: str) -> None: ...


def subscribe(callback: Callable[[str], None]) -> None: ...


def start() -> None:
    subscribe(on_change)
```

## Good

```python
from twisted.internet import reactor

from logctx_lint.runtime import run_in_background


async def poll() -> None: ...


def schedule() -> None:
    reactor.callLater(1, run_in_background, poll)
```

## Fix

Unsafe: it starts work that did not run before, or changes the context that it runs in. None for a
thread, where no background starter can be called.

## Settings

`vocabulary` adds the project's own names: hooks and timers that throw the result away are
`callback-taker`, those that wait for a Deferred `result-taker`, those that wait for any awaitable
`driver`. A decorator that has a function called as a plain one is a `plain-caller`. A parameter
annotated as a callable that returns None needs no name.

A lambda that is more than the one call, such as `lambda: log() or poll()`, is LCX201's business.

## Use instead

`logctx_lint.runtime.run_in_background`, or `run_as_background_process` where there is no log
context to go on with (`logctx_lint.runtime.tasks.run_in_background` on asyncio).
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.awaitables import discard_consequences, discarded_awaitables
from logctx_lint.analysis.awaitables.asynchronous_overrides import (
    AsynchronousOverride,
    asynchronous_overrides,
)
from logctx_lint.analysis.awaitables.callback_places import may_be_asynchronous, misplaced_callbacks
from logctx_lint.analysis.awaitables.discarded_awaitables import DropKind
from logctx_lint.analysis.awaitables.plain_callers import plain_callbacks
from logctx_lint.analysis.callback_arguments import (
    IGNORING,
    IN_THREADS,
    WAITING,
    Taken,
    ignored_kind,
    is_partial,
    taken,
    target,
)
from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.run_time_checks import is_asked_for
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Applicability, Fix, Profile
from logctx_lint.fixes.background_starters import started_instead
from logctx_lint.fixes.edits import background_starter
from logctx_lint.inference.types import FunctionType, Kind, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import call_arguments


def check(context: TreeContext) -> None:
    for each in {each.function: each for each in misplaced_callbacks(context.unit)}.values():
        if context.is_placed(each.function):
            callee = context.called(each.function)
            # Whoever asks for what is returned may know better than the annotation.
            is_returned = isinstance(context.statement_of(each.function), ast.Return)
            context.report(
                RULE.code,
                each.function,
                f"{callee.label} returns a coroutine that never runs ({callee.reason}), but "
                f"{each.what}: a plain function is needed here",
                callee=callee,
                profile=Profile.STRICT if is_returned else Profile.RECOMMENDED,
            )
    for called in plain_callbacks(context.unit):
        what = f"`{called.node.name}()` is an `async def`, but {called.what}"
        context.report(
            RULE.code,
            called.decorator or called.node,
            f"{what}: make it a plain function",
            span=None if called.decorator else context.name_span(called.node),
            profile=Profile.RECOMMENDED if called.is_seen else Profile.STRICT,
        )
    for override in asynchronous_overrides(context.unit):
        _report_override(context, override)
    calls = context.unit.nodes(ast.Call)
    if any(_hands_over(context.unit, call, scope) for call, scope in calls):
        for call, scope in calls:
            _check_call(context, call, scope)


def _report_override(context: TreeContext, found: AsynchronousOverride) -> None:
    """At the method's name, in the line of its `def`."""
    node, caller = found.node, found.caller
    does = "drops what it returns" if found.is_dropped else "tests what it returns for truth"
    by = f"{caller.owner.name}.{caller.name}" if caller.owner else caller.name
    context.report(
        RULE.code,
        node,
        f"`{node.name}()` is an `async def`, but overrides a plain method: `{by}()` "
        f"({caller.module.place_of(caller)}) {does}, a coroutine that never runs: make it a plain "
        "function, or await it there",
        span=context.name_span(node),
    )


def _hands_over(unit: Unit, call: ast.Call, scope: Scope) -> bool:
    """Whether a call hands over an asynchronous function, as a cheap look at it shows."""
    file = unit.file
    if not file.may_play(call.func, IGNORING) and (
        not any(may_be_asynchronous(unit, each) for each in call_arguments(call))
        or file.may_play(call.func, WAITING)
    ):
        return False
    roles = file.roles(call.func, scope)
    return any(ignored_kind(file, each, roles) for each in taken(file, call, scope))


def _check_call(context: TreeContext, call: ast.Call, scope: Scope) -> None:
    if (call.args or call.keywords) and context.is_placed(call):
        roles = context.roles(call)
        for argument in taken(context.file, call, scope):
            kind = ignored_kind(context.file, argument, roles)
            if kind and _is_lost(context, argument):
                _report(context, argument, roles, kind)


def _is_lost(context: TreeContext, argument: Taken) -> bool:
    """Whether nothing else looks after what a function gives."""
    function = argument.node
    if isinstance(function, ast.Lambda):
        found = discarded_awaitables.dropped_in(context, function.body)
        lost = [each.call for each in found if each.how is DropKind.PLAIN]
        return lost == [function.body]
    func = target(context, function)
    if is_asked_for(context.unit, func):
        return False
    if Role.CHAINER in context.file.roles(func, context.scopes[func]):
        return False  # What it gives is the Deferred whose method it is.
    made = _call_made(context, argument)
    callees = members_of(context.type_of(func))
    functions = [each for each in callees if isinstance(each, FunctionType)]
    if made and functions and len(functions) == len(callees):
        summaries = context.file.summaries
        if not any(summaries.gives_awaitable(each, made) for each in functions):
            return False
    return not discarded_awaitables.looks_after(context, func, call=made or ast.Call(func, [], []))


def _call_made(context: TreeContext, argument: Taken) -> ast.Call | None:
    """The call that will be made of a function; None if its arguments are not known."""
    function, given = argument.node, argument.call
    if isinstance(function, ast.Call) and is_partial(context, function):
        return ast.Call(function.args[0], function.args[1:], function.keywords)
    if function not in given.args:
        return None
    rest = given.args[given.args.index(function) + 1 :]
    if not argument.passes_arguments and (rest or given.keywords):
        return None
    return ast.Call(function, rest, given.keywords)


def _report(context: TreeContext, argument: Taken, roles: frozenset[Role], kind: Kind) -> None:
    by = context.callee(argument.call).label
    callee = context.called(target(context, argument.node))
    fate = discard_consequences.fate_of(context, kind)
    does = "does not wait for" if roles & {Role.RESULT_TAKER, Role.THREAD_STARTER} else "ignores"
    starter = None
    cure = "call it in the event loop, not in a thread"
    fixes: tuple[Fix, ...] = ()
    if roles.isdisjoint(IN_THREADS):
        starter = background_starter(context, kind)
        cure = (
            f"start it with `{starter.text}`"
            if starter
            else discard_consequences.callback_cure(context, kind)
        )
    if starter:
        cure = f"start it with `{starter.text}`"
        edits = started_instead(
            context, argument.call, argument, starter.text, as_coroutine=starter.takes_coroutine
        )
        title = f"Start it with {starter.text}()"
        fixes = (Fix(title, Applicability.UNSAFE, (*edits, *starter.imports)),) if edits else ()
    context.report(
        RULE.code,
        argument.node,
        f"{by} {does} what {callee.label} returns, {fate} ({callee.reason}): {cure}",
        fixes,
        callee=callee,
    )


RULE = Rule(
    code="LCX106",
    fixes="wrap in the background starter (unsafe)",
    check=check,
)
