"""An awaitable is started and forgotten, where it cannot be awaited or by hand.

## Why

In a plain function nothing can wait for the work. A coroutine then never runs at all. A Deferred
does run: it ends in a log context that nobody resets, which leaks into the reactor and is charged
with whatever comes next, and its failure is only seen when it is collected.

`ensureDeferred(...)` and a chain of callbacks do start the work, but they know nothing of log
contexts either. The background starter keeps the caller's context for the work, and resets it
when the work ends.

## Bad

```python
async def background_operation() -> None: ...


def on_timer() -> None:
    background_operation()
```

```python
from twisted.internet.defer import ensureDeferred


async def background_operation() -> None: ...


async def handle() -> None:
    ensureDeferred(background_operation())
```

```python
from twisted.internet.defer import Deferred


def fetch() -> "Deferred[str]": ...


def on_timer() -> None:
    fetch().addCallback(print)
```

## Good

```python
from logctx_lint.runtime import run_in_background


async def background_operation() -> None: ...


def on_timer() -> None:
    run_in_background(background_operation)
```

## Fix

Unsafe: it starts work that did not run before, or changes the context that it runs in.

## Settings

`vocabulary` adds the project's own `background-starter`, `safe-decorator` and `droppable` names.

## Use instead

`logctx_lint.runtime.run_in_background`, or `run_as_background_process` for work that outlives the
request (`logctx_lint.runtime.tasks.run_in_background` on asyncio).
"""

from __future__ import annotations

import ast

from logctx_lint.lazy import cst
from logctx_lint.project.walk import all_nodes
from logctx_lint.rules import dropped
from logctx_lint.rules.base import Rule, RuleVisitor
from logctx_lint.rules.dropped import Dropped, How
from logctx_lint.rules.edits import background_fix, background_starter, started_by_hand_fix
from logctx_lint.screen import Unit
from logctx_lint.vocabulary import Role


class FireAndForget(RuleVisitor):
    def visit_Expr(self, node: cst.Expr) -> None:
        self._check(node)

    def visit_Assign(self, node: cst.Assign) -> None:
        self._check(node)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        self._check(node)

    def visit_Lambda(self, node: cst.Lambda) -> None:
        argument = self.context.parent(node)
        call = self.context.parent(argument) if isinstance(argument, cst.Arg) else None
        if isinstance(call, cst.Call) and Role.CALLBACK_TAKER in self.context.roles(call):
            for found in dropped.dropped_in(self.context, node.body):
                # `lambda: f(x)` is itself an asynchronous function: LCX106.
                if found.how is not How.PLAIN or found.call is not node.body:
                    self._report(found)

    def _check(self, node: cst.Expr | cst.Assign | cst.AnnAssign) -> None:
        can_await = self.context.is_asynchronous(self.context.function_of(node))
        for found in dropped.dropped_by(self.context, node):
            if not can_await or found.how is not How.PLAIN:
                self._report(found)

    def _report(self, found: Dropped) -> None:
        starter = background_starter(self.context, found.kind)
        if Role.HAND_STARTER in self.context.roles(found.call):
            what, work = self._by_hand(found)
            fixes = started_by_hand_fix(self.context, found.call, starter)
        else:
            callee = self.context.callee(found.call)
            fate = dropped.fate(self.context, found)
            what = f"{callee.label} {found.verb} {fate} ({callee.reason})"
            work = callee.handed_on(has_arguments=bool(found.call.args))
            fixes = background_fix(self.context, found.call, starter)
        name = starter.text if starter else "run_in_background"
        message = f"{what}: start it with `{name}{work}`"
        self.context.report(RULE.code, found.expression, message, fixes)

    def _by_hand(self, found: Dropped) -> tuple[str, str]:
        """What `ensureDeferred(f(x))` or `maybeDeferred(f, x)` does, and how to pass `f` on."""
        by = self.context.callee(found.call).label
        fate = f"runs unawaited{dropped.losses(self.context, sees_failure=found.sees_failure)}"
        given = found.call.args[0].value if found.call.args else None
        if isinstance(given, cst.Call):
            func, has_arguments = given.func, bool(given.args)
        elif given is not None and self.context.functions(given):
            func, has_arguments = given, len(found.call.args) > 1
        else:
            return f"{by} starts work that {fate}", ""
        callee = self.context.called(func)
        what = f"{by} starts {callee.label}, which {fate} ({callee.reason})"
        return what, callee.handed_on(has_arguments=has_arguments)


def screen(unit: Unit) -> bool:
    """Whether the unit drops an awaitable, or hands a lambda to what may drop its result."""
    return dropped.screen(unit) or (
        "lambda" in unit.text
        and any(
            isinstance(node, ast.Call)
            and any(isinstance(argument, ast.Lambda) for argument in node.args)
            and unit.file.may_play(node.func, frozenset({Role.CALLBACK_TAKER}))
            for node in all_nodes(unit.node)
        )
    )


RULE = Rule(
    code="LCX201",
    name="fire-and-forget",
    fixes="`run_in_background(f, ...)` (unsafe)",
    visitor=FireAndForget,
    screen=screen,
    module=__name__,
)
