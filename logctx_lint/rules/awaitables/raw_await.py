"""An awaitable that does not follow the log-context rules is awaited as it is.

## Why

With log contexts in thread-local storage, whatever is awaited must clear the context before it
returns unfinished, and set it again before it goes on. The project's asynchronous functions do so.
What Twisted makes (`Deferred()`, `deferLater`, `readBody`, `gatherResults`), and what
`run_in_background` gives back, does not: while the function waits, its context stays in the reactor
and is charged with whatever runs next, and when the function goes on, it does so in any context.

## Bad

```python
# settings: framework=twisted, storage=thread-local
from twisted.internet import reactor, task


async def sleep(seconds: float) -> None:
    await task.deferLater(reactor, seconds)
```

```python
# settings: framework=twisted, storage=thread-local
from logctx_lint.runtime import run_as_background_process


class Handler:
    def __init__(self) -> None:
        self._ready = run_as_background_process("load", self._load)

    async def _load(self) -> None: ...

    async def handle(self) -> None:
        await self._ready
```

## Good

```python
# settings: framework=twisted, storage=thread-local
from twisted.internet import reactor, task

from logctx_lint.runtime import make_deferred_yieldable


async def sleep(seconds: float) -> None:
    await make_deferred_yieldable(task.deferLater(reactor, seconds))
```

## Fix

Where something raw is awaited, the fix is safe if the project has a wrapper:
`make_deferred_yieldable(...)` is put around it, with its import. Where it has none, the fix brings
in the reference runtime's, and is unsafe.

A plain function that returns such an awaitable is flagged, too, if those who call it await what it
gives as it is, and nobody wraps it. There the fix is left to you.

## Settings

`vocabulary` adds the project's own `raw-awaitable` and `yieldable-wrapper` names.

## Use instead

`logctx_lint.runtime.make_deferred_yieldable`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.awaitables.provenance import Origin, Origins
from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.units import File, Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Fix
from logctx_lint.fixes.edits import helper, wrapped
from logctx_lint.inference.types import callees_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.rules.rule import Applies, Rule
from logctx_lint.syntax.ast_walk import body_nodes


def check(context: TreeContext) -> None:
    origins = Origins(context.file)
    for node, scope, value in _handed_on(context.unit):
        origin = origins.of(value, scope)
        if origin is None or not origin.is_raw or context.in_sentinel_guard(value):
            continue
        if not context.is_placed(value):
            continue
        if isinstance(node, ast.Return):
            _report_returned(context, value, scope, origin)
        elif isinstance(node, ast.Await) or context.awaits_by_yield(context.function_of(node)):
            _report_awaited(context, value, origin)


def _handed_on(unit: Unit) -> Iterator[tuple[ast.AST, Scope, ast.expr]]:
    """What the unit awaits, or returns from a plain function, with its statement and scope."""
    for awaited, scope in unit.nodes(ast.Await):
        yield awaited, scope, awaited.value
    if "inlineCallbacks" in unit.text:
        for yielded, scope in unit.nodes(ast.Yield):
            if yielded.value:
                yield yielded, scope, yielded.value
    for returned, scope in unit.nodes(ast.Return):
        if returned.value and _may_give_raw(scope):
            yield returned, scope, returned.value


def _report_returned(context: TreeContext, node: ast.expr, scope: Scope, origin: Origin) -> None:
    caller = _relying_caller(context.file, scope)
    if caller is None:
        return
    wrapper = helper(context, Role.YIELDABLE_WRAPPER)
    name = wrapper.text if wrapper else "make_deferred_yieldable"
    context.report(
        RULE.code,
        node,
        f"{_what(context, node, origin)}, which does not follow the log-context rules, and "
        f"`{caller}` awaits it as it is: return `{name}(...)`, or wrap it there",
    )


def _report_awaited(context: TreeContext, node: ast.expr, origin: Origin) -> None:
    wrapper = helper(context, Role.YIELDABLE_WRAPPER)
    name = wrapper.text if wrapper else "make_deferred_yieldable"
    fixes: tuple[Fix, ...] = ()
    if wrapper:
        edits = (*wrapped(context, node, wrapper.text), *wrapper.imports)
        fixes = (Fix(f"Wrap it in {name}()", wrapper.applicability, edits),)
    context.report(
        RULE.code,
        node,
        f"{_what(context, node, origin)}, which does not follow the log-context rules: while it "
        f"is awaited, the log context leaks: wrap it, `await {name}(...)`",
        fixes,
    )


def _what(context: TreeContext, node: ast.expr, origin: Origin) -> str:
    """What is awaited, and why it is known to be raw."""
    if not isinstance(node, ast.Call):
        return f"`{context.line(node)}` is a Deferred from {origin.source}"
    callee = context.callee(node)
    source = "" if origin.source == callee.label else f", from {origin.source}"
    return f"{callee.label} returns a Deferred ({callee.reason}{source})"


def _may_give_raw(scope: Scope) -> bool:
    """Whether code is in a plain function whose result may be a Deferred."""
    function = scope.function
    if function is None or function.facts.is_async or function.facts.is_generator:
        return False
    declared = function.facts.returns
    return not declared or any(word in declared for word in ("Deferred", "Awaitable", "Any"))


def _relying_caller(file: File, scope: Scope) -> str | None:
    """Who awaits what a function gives as it is, if all who call it do that or hand it on."""
    function = scope.function
    # What plays a role is judged by that, at each call.
    if function is None or file.vocabulary.roles([function.qualified_name]):
        return None
    caller = None
    for call, place in file.resolver.references.calls(function.name, function.module):
        callee = file.resolver.type_of(call.func, place)
        if any(member.function.implementation == function for member in callees_of(callee)):
            use = _use(call, place)
            if isinstance(use, ast.Await):
                caller = caller or place.qualified_name
            elif not isinstance(use, ast.Return):
                return None
    return caller


def _use(call: ast.Call, scope: Scope) -> ast.AST | None:
    """The `await` or `return` that a call is the whole operand of."""
    if not isinstance(scope.node, ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    return next(
        (
            node
            for node in body_nodes(scope.node)
            if isinstance(node, ast.Await | ast.Return) and node.value is call
        ),
        None,
    )


RULE = Rule(
    code="LCX105",
    fixes="`make_deferred_yieldable(...)` + import (safe; unsafe if new to the project)",
    check=check,
    applies=Applies.THREAD_LOCAL,
)
