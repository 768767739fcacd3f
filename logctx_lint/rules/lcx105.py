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

Safe where the project has a wrapper: `make_deferred_yieldable(...)` is put around what is awaited,
with its import. Where it has none, the fix brings in the reference runtime's, and is unsafe.

## Settings

`vocabulary` adds the project's own `raw-awaitable` and `yieldable-wrapper` names.

## Use instead

`logctx_lint.runtime.make_deferred_yieldable`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import libcst as cst

from logctx_lint.findings import Fix
from logctx_lint.project.scopes import Scope
from logctx_lint.rules.base import Applies, Rule, RuleVisitor
from logctx_lint.rules.edits import helper, wrapped
from logctx_lint.rules.origins import Origin, Origins
from logctx_lint.screen import Unit
from logctx_lint.vocabulary import Role


class RawAwait(RuleVisitor):
    def visit_Await(self, node: cst.Await) -> None:
        self._check(node.expression)

    def visit_Yield(self, node: cst.Yield) -> None:
        if isinstance(node.value, cst.BaseExpression) and self.context.awaits_by_yield(
            self.context.function_of(node)
        ):
            self._check(node.value)

    def _check(self, node: cst.BaseExpression) -> None:
        context = self.context
        found = context.expression(node)
        origin = Origins(context.file).of(*found) if found else None
        if origin is None or not origin.is_raw or context.in_sentinel_guard(node):
            return
        wrapper = helper(context, Role.YIELDABLE_WRAPPER)
        name = wrapper.text if wrapper else "make_deferred_yieldable"
        fixes: tuple[Fix, ...] = ()
        if wrapper:
            edits = (*wrapped(context, node, wrapper.text), *wrapper.imports)
            fixes = (Fix(f"Wrap it in {name}()", wrapper.applicability, edits),)
        context.report(
            RULE.code,
            node,
            f"{self._what(node, origin)}, which does not follow the log-context rules: while it is "
            f"awaited, the log context leaks: wrap it, `await {name}(...)`",
            fixes,
        )

    def _what(self, node: cst.BaseExpression, origin: Origin) -> str:
        """What is awaited, and why it is known to be raw."""
        if not isinstance(node, cst.Call):
            text = " ".join(self.context.text(node).split())
            return f"`{text}` is a Deferred from {origin.source}"
        callee = self.context.callee(node)
        source = "" if origin.source == callee.label else f", from {origin.source}"
        return f"{callee.label} returns a Deferred ({callee.reason}{source})"


def screen(unit: Unit) -> bool:
    """Whether the unit awaits something raw."""
    origins = Origins(unit.file)
    return any(
        (origin := origins.of(value, scope)) is not None and origin.is_raw
        for value, scope in _awaited(unit)
    )


def _awaited(unit: Unit) -> Iterator[tuple[ast.expr, Scope]]:
    for awaited, scope in unit.nodes(ast.Await):
        yield awaited.value, scope
    if "inlineCallbacks" in unit.text:
        for yielded, scope in unit.nodes(ast.Yield):
            if yielded.value:
                yield yielded.value, scope


RULE = Rule(
    code="LCX105",
    name="raw-await",
    fixes="`make_deferred_yieldable(...)` + import (safe; unsafe if new to the project)",
    visitor=RawAwait,
    screen=screen,
    module=__name__,
    applies=Applies.THREAD_LOCAL,
)
