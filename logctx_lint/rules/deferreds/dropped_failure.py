"""A chain of callbacks has no errback, and nobody else could see its failure.

## Why

A failure runs down a Deferred's chain until an errback takes it. When there is none, and the
Deferred is neither returned, awaited nor kept, the failure is only logged when the Deferred is
collected: late, out of context, and after whoever needs the result has waited in vain.

A chain that begins with a call and is dropped as a whole is LCX201's business, which also speaks of
its log context. This rule is for the others: a Deferred held in a local name, and work that is
started properly, but whose callbacks have no errback.

## Bad

```python
from twisted.internet.threads import deferToThread


def compute() -> int: ...


def start() -> None:
    deferred = deferToThread(compute)
    deferred.addCallback(print)
```

```python
from twisted.internet import reactor

from logctx_lint.runtime import run_in_background


async def compute() -> int: ...


def start() -> None:
    run_in_background(compute).addCallback(lambda _: reactor.stop())
```

## Good

```python
from twisted.internet.threads import deferToThread
from twisted.python import log


def compute() -> int: ...


def start() -> None:
    deferred = deferToThread(compute)
    deferred.addCallback(print)
    deferred.addErrback(log.err, "could not compute")
```

```python
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread


def compute() -> int: ...


def start() -> "Deferred[None]":
    deferred = deferToThread(compute)
    return deferred.addCallback(print)
```

## Fix

None: what to do about the failure is for a person to decide.

## Settings

`vocabulary` adds the project's own `background-process` and `droppable` names.

## Use instead

`logctx_lint.runtime.run_as_background_process`, which logs what its function raises.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.awaitables.discarded_awaitables import dropped_in
from logctx_lint.analysis.awaitables.ownership import is_kept_elsewhere
from logctx_lint.analysis.context import TreeContext, as_try
from logctx_lint.analysis.deferreds.deferred_chains import Chain, Chains
from logctx_lint.analysis.deferreds.observed_chains import Outcomes, can_fail, gathered
from logctx_lint.analysis.deferreds.request_callbacks import CallbackEffect, RequestCallbacks
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Profile
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Applies, Rule
from logctx_lint.syntax.ast_walk import body_nodes, own_nodes

_NO_ERRBACK = "gets callbacks but no errback"
_SEEN_ELSEWHERE = frozenset({Role.BACKGROUND_PROCESS, Role.SAFE_DECORATOR, Role.DROPPABLE})
"""Roles of callees that log failures themselves, or whose Deferred others have, too."""


def check(context: TreeContext) -> None:
    found = _without_errback(context.unit)
    by_last = {chain.links[-1].node: (chains, chain, why) for chains, chain, why in found}
    for last, (chains, chain, why) in by_last.items():
        if _is_kept(context, chain) or any(dropped_in(context, last)):
            continue
        outcomes = Outcomes(chains)
        is_safe = why is _NO_ERRBACK and not can_fail(context, outcomes, chain.root)
        if not is_safe and not outcomes.is_seen(chain):
            _report(context, chain, why)


def _is_kept(context: TreeContext, chain: Chain) -> bool:
    """Whether the callee keeps what it gives, so that others may see its failure."""
    functions = context.callees(chain.root)
    return bool(functions) and all(
        Role.SAFE_DECORATOR in context.decorator_roles(each) or is_kept_elsewhere(context, each)
        for each in functions
    )


def _report(context: TreeContext, chain: Chain, why: str) -> None:
    given = f"what `{ast.unparse(chain.root.func)}()` gives"
    label = f"`{chain.name}` ({given})" if chain.name else given
    each_gathered = gathered(context, chain.root)
    # Those that others fire may only ever be told of an event.
    is_told = bool(each_gathered) and all(isinstance(one, ast.Attribute) for one in each_gathered)
    is_sure = why is _NO_ERRBACK and not chain.is_presumed and not is_told
    context.report(
        RULE.code,
        chain.links[-1].node,
        f"{label} {why}, and is neither returned, awaited nor kept, so that its failure is "
        "only seen when it is collected: end the chain with `.addErrback(...)`",
        profile=Profile.RECOMMENDED if is_sure else Profile.STRICT,
    )


def _without_errback(unit: Unit) -> Iterator[tuple[Chains, Chain, str]]:
    """The chains that nobody else has and whose failure no errback takes; why that is known."""
    for node, scope in unit.scopes.items():
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        chains = Chains(unit.file, node, scope)
        if not chains.answers_later:
            for chain in chains.found:
                roles = unit.file.roles(chain.root.func, scope)
                why = _unguarded(chain, RequestCallbacks(unit.file, scope))
                if (
                    why
                    and not (chain.is_handed_on or chain.is_idle or chain.misses_disconnect)
                    and not roles & _SEEN_ELSEWHERE
                    and (chain.name or not chain.is_presumed)
                ):
                    yield chains, chain, why


def _unguarded(chain: Chain, answering: RequestCallbacks) -> str:
    """Why a failure may run out of the end of a chain; empty if that is not known."""
    links = chain.links
    if not any(link.callback for link in links):
        return ""
    if not any(link.errback for link in links):
        return _NO_ERRBACK
    last = links[-1]
    if last.errback is None:
        return _may_fail(
            last.callback, answering, "has an errback only before its last callback, {}"
        )
    if last.method == "addCallbacks":
        return _may_fail(
            last.callback,
            answering,
            "has an errback only beside its last callback, {}, which it does not guard",
        )
    does = answering.does(last.errback)
    if (
        last.method == "addErrback"
        and CallbackEffect.HANDS_ON in does
        and CallbackEffect.UNKNOWN not in does
    ):
        return "ends in an errback that hands the failure on"
    return ""


def _may_fail(
    callback: ast.expr | FunctionNode | None, answering: RequestCallbacks, why: str
) -> str:
    """The reason, if a callback is known to do something that may fail."""
    if callback is None or isinstance(callback, ast.Lambda):
        return ""
    if isinstance(callback, FunctionNode):
        return why.format(f"`{callback.name}`") if _does_something(callback) else ""
    trees = answering.trees(callback)
    does_something = bool(trees) and all(map(_does_something, trees))
    return why.format(f"`{ast.unparse(callback)}`") if does_something else ""


def _does_something(node: FunctionNode) -> bool:
    """Whether a function calls anything outside of a `try`."""
    attempts = [each for each in body_nodes(node) if as_try(each)]
    guarded = {inner for each in attempts for inner in own_nodes([each])}
    return any(each not in guarded for each in body_nodes(node, ast.Call))


def screen(unit: Unit) -> bool:
    """Whether the unit adds callbacks to a Deferred."""
    return "addCallback" in unit.text


RULE = Rule(
    code="LCX502",
    fixes="none",
    check=check,
    screen=screen,
    applies=Applies.TWISTED,
)
