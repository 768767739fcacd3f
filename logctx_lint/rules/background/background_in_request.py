"""A request starts work that it does not wait for, in its own log context.

## Why

What `run_in_background` starts runs in the log context of its caller. Left alone, it is charged to
the request, and goes on when the request has ended: it then logs and counts in a log context that
is finished. Work that nobody waits for is a process of its own.

The log-context documents allow such a start, so this rule is off until it is enabled. Many bugs of
this kind were fixed in Synapse, each by `run_as_background_process` or by `await`.

## Bad

```python
from logctx_lint.runtime import run_in_background


async def push_to_servers(name: str) -> None: ...


async def on_typing(name: str) -> None:
    run_in_background(push_to_servers, name)
```

## Good

```python
from logctx_lint.runtime import run_as_background_process


async def push_to_servers(name: str) -> None: ...


async def on_typing(name: str) -> None:
    run_as_background_process("push_to_servers", push_to_servers, name)
```

## Fix

Unsafe: the work gets a log context of its own, and its failures are logged.

## Settings

`enable = ["LCX206"]` (`--lcx-enable=LCX206` in flake8) switches the rule on. `vocabulary` adds the
project's own `background-starter` and `background-process` names.

## Use instead

`logctx_lint.runtime.run_as_background_process`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.awaitables.background_work import Body
from logctx_lint.analysis.callback_arguments import taken, target
from logctx_lint.analysis.callee import Callee
from logctx_lint.analysis.context import TreeContext, arguments
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Edit, Fix
from logctx_lint.fixes.background_starters import Process, is_process, process, process_fix
from logctx_lint.fixes.edits import before
from logctx_lint.rules.rule import Rule

_STARTERS = frozenset({Role.BACKGROUND_STARTER, Role.SAFE_DECORATOR})


def check(context: TreeContext) -> None:
    if context.unit.may_call(_STARTERS):
        for call in _left_alone(context.unit):
            if context.is_placed(call):
                _report(context, call)


def _report(context: TreeContext, call: ast.Call) -> None:
    by = context.callee(call).label
    started = None
    if Role.BACKGROUND_STARTER in context.roles(call):
        started = next(iter(arguments(call)), None)
    what = " work"
    known = None
    if isinstance(started, ast.Call) and context.awaitability(started).is_certain:
        what = _described(context.callee(started))
    elif started:
        what = _described(context.called(target(context, started)))
        known = process(context, started)
    name = known.starter.text if known else "run_as_background_process"
    context.report(
        RULE.code,
        call,
        f"{by} starts{what} in the log context of its caller, and nobody waits for it: a "
        f"request may end before; start it with `{name}`, or await it",
        _fixes(context, call, started, known),
    )


def _fixes(
    context: TreeContext, call: ast.Call, function: ast.expr | None, known: Process | None
) -> tuple[Fix, ...]:
    written = context.written(call)
    if written is None or written.is_function_parenthesized:
        return ()
    if known is None or known.first is None or function is None:
        return ()
    if not any(each.node is function for each in taken(context.file, call, context.scopes[call])):
        return ()
    swap = Edit(context.span(call.func), known.starter.text)
    return process_fix(known.starter, (swap, before(context, function, known.first)))


def _described(callee: Callee) -> str:
    return f" {callee.label} ({callee.reason})"


def _left_alone(unit: Unit) -> Iterator[ast.Call]:
    """The starts that nothing waits for, in code that may run for a request."""
    for node, scope in unit.scopes.items():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            starts = list(Body(unit.file, node, scope).left_alone())
            if starts and not is_process(unit.file, scope):
                yield from starts


RULE = Rule(
    code="LCX206",
    fixes="`run_as_background_process` (unsafe)",
    check=check,
)
