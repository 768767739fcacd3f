"""A web request is never answered when the work for it fails.

## Why

A `render_*` method that returns `NOT_DONE_YET` promises to finish the request later. Whatever fails
in its chain of callbacks, the last of them included, must end in an errback that finishes the
request: else the browser waits forever. Handing the failure on (`return failure`) tells nobody:
twisted.web knows nothing of the Deferred. An errback that has answered and hands the failure on
makes the next one answer a second time.

## Bad

```python
from twisted.internet import threads
from twisted.web import resource, server


def page() -> bytes: ...


class Page(resource.Resource):
    def render_GET(self, request: server.Request) -> int:
        deferred = threads.deferToThread(page)
        deferred.addCallback(self.final, request)
        deferred.addErrback(self.errback)
        return server.NOT_DONE_YET

    def final(self, message: bytes, request: server.Request) -> None:
        request.write(message)
        request.finish()

    def errback(self, failure):
        return failure
```

## Good

```python
from twisted.internet import threads
from twisted.web import resource, server


def page() -> bytes: ...


class Page(resource.Resource):
    def render_GET(self, request: server.Request) -> int:
        deferred = threads.deferToThread(page)
        deferred.addCallback(self.final, request)
        deferred.addErrback(self.errback, request)
        return server.NOT_DONE_YET

    def final(self, message: bytes, request: server.Request) -> None:
        request.write(message)
        request.finish()

    def errback(self, failure, request: server.Request) -> None:
        request.processingFailed(failure)
```

## Fix

None: what to answer is for a person to decide.

## Settings

`vocabulary` adds the project's own `not-done-yet`, `request` and `route` names.

## Use instead

`logctx_lint.runtime.blocking_render` for a method that runs in a thread,
`logctx_lint.runtime.async_render` for a coroutine: both answer exactly once.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.deferreds.deferred_chains import NOTIFIES, Chain, Chains, Link
from logctx_lint.analysis.deferreds.request_callbacks import (
    CallbackEffect,
    RequestCallbacks,
    request_parameter,
)
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.rules.rule import Applies, Rule
from logctx_lint.syntax.ast_walk import all_nodes


def check(context: TreeContext) -> None:
    for node, why in dict(_hanging(context.unit)).items():
        context.report(RULE.code, node, why)


def _hanging(unit: Unit) -> Iterator[tuple[ast.expr, str]]:
    for node, scope in unit.scopes.items():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            request = request_parameter(unit.file, node, scope)
            chains = Chains(unit.file, node, scope)
            if request and chains.answers_later:
                answering = RequestCallbacks(unit.file, scope)
                for chain in chains.found:
                    why = _why(chain, request, answering, chains)
                    if why:
                        yield chain.links[-1].node, why
                for call, started in _started(chains):
                    if answering.leaves_failures(started):
                        yield call, _left(f"`{ast.unparse(started)}()`", request)


def _why(chain: Chain, request: str, answering: RequestCallbacks, chains: Chains) -> str | None:
    """What is wrong with how a chain ends; None if nothing, or it is not about the request."""
    if chain.is_handed_on or not _is_about(chain, request, chains):
        return None
    if isinstance(chain.root.func, ast.Attribute) and chain.root.func.attr == NOTIFIES:
        return None
    begins = f"what `{ast.unparse(chain.root.func)}()` gives"
    named = f"`{chain.name}`" if chain.name else begins
    for place, link in reversed([*enumerate(chain.links)]):
        does = answering.does(link.errback) if link.errback is not None else CallbackEffect.NOTHING
        if CallbackEffect.UNKNOWN in does:
            return None
        if CallbackEffect.ENDS in does:
            if CallbackEffect.HANDS_ON in does:
                return (
                    f"the errback of {named} finishes the request and hands the failure on, so "
                    "that it is answered again, or never handled: return None"
                )
            return None
        if link.callback is not None and _may_matter(link, request, answering, chains):
            if answering.surely_ends(link.callback) and any(
                before.errback is not None
                and answering.does(before.errback) is CallbackEffect.NOTHING
                for before in chain.links[:place]
            ):
                return None
            break
    return _left(named, request)


def _left(what: str, request: str) -> str:
    return (
        f"{what} has no errback at its end that finishes the request, so that the browser waits "
        f"forever when something fails: add one that calls `{request}.processingFailed(failure)`"
    )


def _started(chains: Chains) -> Iterator[tuple[ast.Call, ast.expr]]:
    """The asynchronous functions that are called, and nothing added to what they give."""
    for node in chains.nodes:
        match node:
            case ast.Expr(ast.Call(func=func, args=[ast.Call() as inner, *_]) as call):
                if Role.HAND_STARTER in chains.file.roles(func, chains.scope):
                    yield call, inner.func
            case ast.Expr(ast.Call() as call):
                yield call, call.func


def _is_about(chain: Chain, request: str, chains: Chains) -> bool:
    """Whether a chain has anything to do with the request."""
    parts: list[ast.AST] = [chain.root]
    for link in chain.links:
        parts += [
            each for each in (link.callback, link.errback, *link.arguments) if each is not None
        ]
    return any(_mentions(part, request, chains) for part in parts)


def _mentions(node: ast.AST, request: str, chains: Chains) -> bool:
    """Whether code, or the nested function that it names, uses the request."""
    nested = {
        each.name: each
        for each in chains.nodes
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    local = {
        each.targets[0].id: each.value
        for each in chains.nodes
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name)
    }
    seen: set[str] = set()
    stack: list[ast.AST] = [node]
    while stack:
        part = stack.pop()
        for inner in all_nodes(part):
            if isinstance(inner, ast.Name):
                if inner.id == request:
                    return True
                if inner.id not in seen:
                    seen.add(inner.id)
                    stack += [each[inner.id] for each in (nested, local) if inner.id in each]
    return False


def _may_matter(link: Link, request: str, answering: RequestCallbacks, chains: Chains) -> bool:
    """Whether a callback behind the errback that answers has a part in answering."""
    parts = [link.callback, *link.arguments]
    return any(_mentions(part, request, chains) for part in parts if part is not None) or (
        CallbackEffect.ENDS in answering.does(link.callback)
    )


def screen(unit: Unit) -> bool:
    """Whether the unit leaves a request unanswered when something fails."""
    return "NOT_DONE_YET" in unit.text and any(_hanging(unit))


RULE = Rule(
    code="LCX501",
    fixes="none",
    check=check,
    screen=screen,
    applies=Applies.TWISTED,
)
