"""A timer or a hook runs asynchronous work in no log context.

## Why

The reactor calls timers, and what runs at start and stop, under the sentinel: no log context is
current. What the work logs cannot be told from anything else, and what it costs is counted for
nobody. `run_in_background` does not help, for there is no context that it could keep.

Where the project's own clock opens a log context around what it calls, or the function opens one
itself, nothing is missing. The rule reads both in their source. It is off until it is enabled.

## Bad

```python
from twisted.internet.task import LoopingCall


async def prune() -> None: ...


def start() -> None:
    LoopingCall(prune).start(60).addErrback(print)
```

```python
from twisted.internet import reactor

from logctx_lint.runtime import run_in_background


async def prune() -> None: ...


def start() -> None:
    reactor.callLater(60, run_in_background, prune)
```

## Good

```python
from twisted.internet.task import LoopingCall

from logctx_lint.runtime import run_as_background_process


async def prune() -> None: ...


def start() -> None:
    LoopingCall(run_as_background_process, "prune", prune).start(60).addErrback(print)
```

## Fix

Unsafe: the work gets a log context of its own, and its failures are logged, so that a `LoopingCall`
goes on after one.

## Settings

`enable = ["LCX207"]` (`--lcx-enable=LCX207` in flake8) switches the rule on. `vocabulary` adds the
project's own `timer`, `background-process` and `context-manager` names.

## Use instead

`logctx_lint.runtime.run_as_background_process`.
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.callback_arguments import (
    Taken,
    body_calls,
    calls_inside,
    ignored_kind,
    is_partial,
    taken,
    target,
)
from logctx_lint.analysis.context import TreeContext, arguments
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Edit
from logctx_lint.fixes.background_starters import (
    argument_before,
    process,
    process_fix,
    started_instead,
)
from logctx_lint.project.modules import Function
from logctx_lint.rules.rule import Rule

_TIMERS = frozenset({Role.TIMER})
_OPENING = frozenset({Role.CONTEXT_MANAGER, Role.BACKGROUND_PROCESS})
"""What opens a log context of its own."""


def check(context: TreeContext) -> None:
    for call, scope in context.unit.nodes(ast.Call):
        if context.file.may_play(call.func, _TIMERS) and context.is_placed(call):
            roles = context.roles(call)
            for each in taken(context.file, call, scope) if Role.TIMER in roles else ():
                _check(context, each, roles)


def _check(context: TreeContext, argument: Taken, roles: frozenset[Role]) -> None:
    started = _started(context, argument)
    # What the timer ignores never runs, or is lost: LCX106.
    if not started and ignored_kind(context.file, argument, roles):
        return
    runs = started or target(context, argument.node)
    if _needs_context(context, runs) and not calls_inside(context.file, argument, _OPENING):
        _report(context, argument, started)


def _started(context: TreeContext, argument: Taken) -> ast.expr | None:
    """The function that a background starter is to start: `callLater(1, start, f)`."""
    function = argument.node
    if Role.BACKGROUND_STARTER not in context.roles(target(context, function)):
        return None
    match function:
        case ast.Lambda(body=ast.Call(args=[first, *_])):
            return first
        case ast.Call(args=[_, first, *_]) if is_partial(context, function):
            return first
    values = arguments(argument.call)
    return next(iter(values[values.index(function) + 1 :]), None)


def _needs_context(context: TreeContext, function: ast.expr) -> bool:
    """Whether a function of the project is asynchronous, and opens no log context."""
    resolver = context.resolver
    given = resolver.awaitability(resolver.call_type(context.type_of(function)))
    functions = context.functions(function)
    return (
        given.is_certain
        and bool(functions)
        and not any(_opens_context(context, each) for each in functions)
    )


def _opens_context(context: TreeContext, function: Function) -> bool:
    return (
        # What a library does is not logged by the project.
        function.module.is_stub
        or not context.decorator_roles(function).isdisjoint(_OPENING)
        or body_calls(context.file, function, _OPENING)
    )


def _report(context: TreeContext, argument: Taken, started: ast.expr | None) -> None:
    taker, function = argument.call, argument.node
    by = context.callee(taker).label
    runs = started or target(context, function)
    callee = context.called(runs)
    known = process(context, runs)
    name = known.starter.text if known else "run_as_background_process"
    edits: tuple[Edit, ...] | None = None
    if known and known.first is not None:
        if started:
            edits = _swapped(context, function, known.starter.text, known.first)
        else:
            edits = started_instead(context, taker, argument, known.starter.text, known.first)
    context.report(
        RULE.code,
        function,
        f"{by} has {callee.label} run in no log context ({callee.reason}), so that what it logs"
        f" and costs is nobody's: start it with `{name}`",
        process_fix(known.starter, edits) if known else (),
        callee=callee,
    )


def _swapped(
    context: TreeContext, function: ast.expr, starter: str, first: str
) -> tuple[Edit, ...] | None:
    """The process in place of the background starter."""
    match function:
        case ast.Lambda(body=ast.Call(func, [inner, *_]) as call):
            put, written = argument_before(context, inner, first), context.written(call)
            if put is None or written is None or written.is_function_parenthesized:
                return None
            return Edit(context.span(func), starter), *put
        case ast.Lambda():
            return None
        case ast.Call(args=[inner, *_]):
            function = inner
    if context.is_parenthesized(function):
        return None
    return (Edit(context.span(function), f"{starter}, {first.removesuffix(', ')}"),)


RULE = Rule(
    code="LCX207",
    fixes="wrap in a background process (unsafe)",
    check=check,
)
