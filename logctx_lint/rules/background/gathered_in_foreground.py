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

from logctx_lint.analysis.awaitables.gathered_operands import gathered, may_gather, takes_deferreds
from logctx_lint.analysis.awaitables.provenance import FOLLOWS, Origins
from logctx_lint.analysis.context import TreeContext, arguments
from logctx_lint.config.settings import Storage
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Fix
from logctx_lint.fixes.edits import (
    Helper,
    background_fix,
    background_starter,
    started_by_hand_fix,
)
from logctx_lint.inference import protocols
from logctx_lint.inference.types import Kind
from logctx_lint.rules.rule import Rule

_PASSERS = frozenset({Role.DEFERRED_PASSER, Role.CANCELLATION_SHIELD})


def check(context: TreeContext) -> None:
    told: set[ast.expr] = set()
    for call, scope in context.unit.nodes(ast.Call):
        if not may_gather(context.file, call, scope):
            continue
        of_deferreds = takes_deferreds(context.file, call, scope)
        for each in gathered(context, call):
            work = _work(context, each)
            if work in told or not context.is_placed(work):
                continue
            fate = _fate(context, work, of_deferreds=of_deferreds)
            if fate:
                told.add(work)
                _report(context, call, work, fate)


def _work(context: TreeContext, node: ast.expr) -> ast.expr:
    """The call that a chain of callbacks begins with, or that something passes on."""
    while isinstance(node, ast.Call):
        roles, given = context.roles(node), arguments(node)
        if Role.CHAINER in roles and isinstance(node.func, ast.Attribute):
            node = node.func.value
        elif roles & _PASSERS and given:
            is_cast = "typing.cast" in context.names(node)
            node = given[-1 if is_cast else 0]
        else:
            break
    return node


def _fate(context: TreeContext, work: ast.expr, *, of_deferreds: bool) -> str | None:
    """What is wrong with gathering something; None if nothing is."""
    answer = context.awaitability(work)
    if of_deferreds and _gives_coroutines(context, work):
        return "is no Deferred: it never runs, and gathering it fails"
    if (
        context.file.traits.storage is not Storage.THREAD_LOCAL
        or not answer.is_certain
        or answer.kind is not Kind.DEFERRED
        or context.in_sentinel_guard(work)
    ):
        return None
    if Origins(context.file).of(work, context.scopes[work]) == FOLLOWS:
        return "follows the log-context rules: gathered as it is, the log context leaks"
    return None


def _gives_coroutines(context: TreeContext, work: ast.expr) -> bool:
    """A coroutine, or a container of coroutines that was made elsewhere."""
    answer, resolver = context.awaitability(work), context.resolver
    if not isinstance(work, ast.Call) and not answer.is_certain:
        answer = resolver.awaitability(protocols.iterated(resolver, context.type_of(work)))
    return answer.is_certain and answer.kind is Kind.COROUTINE


def _report(context: TreeContext, gatherer: ast.Call, work: ast.expr, fate: str) -> None:
    by = context.callee(gatherer).label
    starter = background_starter(context, Kind.DEFERRED)
    name = starter.text if starter else "run_in_background"
    if not isinstance(work, ast.Call):
        text = context.line(work)
        message = f"`{text}`, which {by} waits for, {fate}: start it with `{name}(...)`"
        context.report(RULE.code, work, message)
        return
    callee, roles = context.callee(work), context.roles(work)
    what = f"what {callee.label} returns, which {by} waits for, {fate} ({callee.reason})"
    if Role.YIELDABLE_WRAPPER in roles:
        cure = f"gather what is in it, and wrap what {by} returns"
    elif Role.HAND_STARTER in roles:
        cure = f"start the work with `{name}(...)`"
    else:
        passed = callee.handed_on(has_arguments=bool(arguments(work)))
        cure = f"start it with `{name}{passed}`"
    fixes = _fixes(context, work, roles, starter) if starter else ()
    context.report(RULE.code, work, f"{what}: {cure}", fixes)


def _fixes(
    context: TreeContext, work: ast.Call, roles: frozenset[Role], starter: Helper
) -> tuple[Fix, ...]:
    if Role.YIELDABLE_WRAPPER in roles:
        return ()
    if Role.HAND_STARTER in roles:
        return started_by_hand_fix(context, work, starter)
    return background_fix(context, work, starter, starter.applicability)


RULE = Rule(
    code="LCX203",
    fixes="`run_in_background(f, ...)` + import (safe; unsafe if new to the project)",
    check=check,
)
