"""Work is gathered by foreign code without being started in the background.

## Why

`gatherResults`, `DeferredList` and `race` wait for Deferreds, and know nothing of log contexts.
What an asynchronous function of the project gives is meant to be awaited at once: it clears the
log context while it waits, so the code that starts the next one has lost it, and sets it again when
it is done, in the middle of whatever runs then. A coroutine is no Deferred at all: it is never
started, and the gatherer fails.

## Bad

```python
# settings: framework=twisted, storage=thread-local
from twisted.internet import defer

from logctx_lint.runtime import make_deferred_yieldable


async def fetch(name: str) -> bytes: ...


async def both() -> None:
    await make_deferred_yieldable(defer.DeferredList([fetch("a"), fetch("b")]))
```

## Good

```python
# settings: framework=twisted, storage=thread-local
from twisted.internet import defer

from logctx_lint.runtime import make_deferred_yieldable, run_in_background


async def fetch(name: str) -> bytes: ...


async def both() -> None:
    await make_deferred_yieldable(
        defer.DeferredList([run_in_background(fetch, "a"), run_in_background(fetch, "b")])
    )
```

## Fix

Safe where the project has a background starter: `f(x)` becomes `run_in_background(f, x)`, with its
import. Where it has none, the fix brings in the reference runtime's, and is unsafe.

## Settings

`vocabulary` adds the project's own `gatherer` and `background-starter` names.

## Use instead

`logctx_lint.runtime.run_in_background`, or the helpers that start and wait:
`logctx_lint.runtime.yieldable_gather_results`, `logctx_lint.runtime.gather_optional_coroutines`.
"""

from __future__ import annotations

import ast

import libcst as cst

from logctx_lint.findings import Fix
from logctx_lint.project import protocols
from logctx_lint.project.types import Kind
from logctx_lint.rules.base import Rule, RuleVisitor
from logctx_lint.rules.context import RuleContext
from logctx_lint.rules.edits import background_fix, background_starter, started_by_hand_fix
from logctx_lint.rules.gathering import gathered, may_gather, takes_deferreds
from logctx_lint.rules.origins import FOLLOWS, Origins
from logctx_lint.screen import Unit
from logctx_lint.settings import Storage
from logctx_lint.vocabulary import Role

_PASSERS = frozenset({Role.DEFERRED_PASSER, Role.CANCELLATION_SHIELD})


class GatheredInForeground(RuleVisitor):
    def __init__(self, context: RuleContext) -> None:
        super().__init__(context)
        self._told: set[cst.CSTNode] = set()

    def visit_Call(self, node: cst.Call) -> None:
        context = self.context
        found = context.expression(node)
        if not found or not isinstance(found[0], ast.Call):
            return
        if not may_gather(context.file, found[0], found[1]):
            return
        of_deferreds = takes_deferreds(context.file, found[0], found[1])
        for each in gathered(context, node):
            work = self._work(each)
            fate = None if work in self._told else self._fate(work, of_deferreds=of_deferreds)
            if fate:
                self._told.add(work)
                self._report(node, work, fate)

    def _work(self, node: cst.BaseExpression) -> cst.BaseExpression:
        """The call that a chain of callbacks begins with, or that something passes on."""
        while isinstance(node, cst.Call):
            roles = self.context.roles(node)
            if Role.CHAINER in roles and isinstance(node.func, cst.Attribute):
                node = node.func.value
            elif roles & _PASSERS and node.args:
                is_cast = "typing.cast" in self.context.names(node)
                node = node.args[-1 if is_cast else 0].value
            else:
                break
        return node

    def _fate(self, work: cst.BaseExpression, *, of_deferreds: bool) -> str | None:
        """What is wrong with gathering something; None if nothing is."""
        context = self.context
        answer = context.awaitability(work)
        if of_deferreds and self._gives_coroutines(work):
            return "is no Deferred: it never runs, and gathering it fails"
        if (
            context.file.traits.storage is not Storage.THREAD_LOCAL
            or not answer.is_certain
            or answer.kind is not Kind.DEFERRED
            or context.in_sentinel_guard(work)
        ):
            return None
        found = context.expression(work)
        if found and Origins(context.file).of(*found) == FOLLOWS:
            return "follows the log-context rules: gathered as it is, the log context leaks"
        return None

    def _gives_coroutines(self, work: cst.BaseExpression) -> bool:
        """A coroutine, or a container of coroutines that was made elsewhere."""
        answer, resolver = self.context.awaitability(work), self.context.resolver
        if not isinstance(work, cst.Call) and not answer.is_certain:
            held = protocols.iterated(resolver, self.context.type_of(work))
            answer = resolver.awaitability(held)
        return answer.is_certain and answer.kind is Kind.COROUTINE

    def _report(self, gatherer: cst.Call, work: cst.BaseExpression, fate: str) -> None:
        context = self.context
        by = context.callee(gatherer).label
        starter = background_starter(context, Kind.DEFERRED)
        name = starter.text if starter else "run_in_background"
        if not isinstance(work, cst.Call):
            text = " ".join(context.text(work).split())
            message = f"`{text}`, which {by} waits for, {fate}: start it with `{name}(...)`"
            context.report(RULE.code, work, message)
            return
        callee, roles = context.callee(work), context.roles(work)
        what = f"what {callee.label} returns, which {by} waits for, {fate} ({callee.reason})"
        fixes: tuple[Fix, ...] = ()
        if Role.YIELDABLE_WRAPPER in roles:
            cure = f"gather what is in it, and wrap what {by} returns"
        elif Role.HAND_STARTER in roles:
            fixes = started_by_hand_fix(context, work, starter)
            cure = f"start the work with `{name}(...)`"
        else:
            if starter:
                fixes = background_fix(context, work, starter, starter.applicability)
            passed = callee.handed_on(has_arguments=bool(work.args))
            cure = f"start it with `{name}{passed}`"
        context.report(RULE.code, work, f"{what}: {cure}", fixes)


def screen(unit: Unit) -> bool:
    """Whether the unit calls a gatherer, or a helper that may be one."""
    return any(may_gather(unit.file, call, scope) for call, scope in unit.nodes(ast.Call))


RULE = Rule(
    code="LCX203",
    name="gathered-in-foreground",
    fixes="`run_in_background(f, ...)` + import (safe; unsafe if new to the project)",
    visitor=GatheredInForeground,
    screen=screen,
    module=__name__,
)
