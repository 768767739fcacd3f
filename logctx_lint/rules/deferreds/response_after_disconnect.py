"""A request is answered later, and nobody looks whether the client is still there.

## Why

A client may go away while it waits. `request.finish()` then raises `RuntimeError: Request.finish
called on a request after its connection was lost`, in a callback where nobody expects it, and the
errback that wants to answer raises it again. The work behind the request goes on for nobody.
`request.notifyFinish()` says when the client has gone, by failing: a callback on it alone is called
for answers that arrived, and not for clients that left.

The shape of [Tribler 3137](https://github.com/Tribler/tribler/issues/3137) and
[hathor-core 303](https://github.com/HathorNetwork/hathor-core/issues/303).

## Bad

```python
from twisted.internet.threads import deferToThread
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET


def make_archive() -> bytes: ...


class Archive(Resource):
    def render_GET(self, request):
        def made(archive):
            request.write(archive)
            request.finish()

        def failed(failure):
            request.setResponseCode(500)
            request.finish()

        deferToThread(make_archive).addCallback(made).addErrback(failed)
        return NOT_DONE_YET
```

## Good

```python
from twisted.internet.threads import deferToThread
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET


def make_archive() -> bytes: ...


class Archive(Resource):
    def render_GET(self, request):
        def made(archive):
            request.write(archive)
            request.finish()

        def failed(failure):
            if not gone:
                request.setResponseCode(500)
                request.finish()

        gone = []
        working = deferToThread(make_archive)
        request.notifyFinish().addErrback(lambda _: (gone.append(True), working.cancel()))
        working.addCallback(made).addErrback(failed)
        return NOT_DONE_YET
```

## Fix

None.

## Settings

`vocabulary` adds the project's own `not-done-yet`, `request` and `route` names.

## When not to use it

Where what comes before the answer takes no time. A class that calls `notifyFinish`, or looks at the
request's state, is silent; so is a callback with a `try` of its own.

## Use instead

`logctx_lint.runtime.async_render`, which cancels the work when the client goes away and answers
exactly once.
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.called_code import code_of
from logctx_lint.analysis.context import TreeContext, arguments, as_try, in_source_order
from logctx_lint.analysis.deferreds.deferred_chains import NOTIFIES, Chains
from logctx_lint.analysis.deferreds.observed_chains import Outcomes, of_dropped
from logctx_lint.analysis.deferreds.request_callbacks import (
    CallbackEffect,
    RequestCallbacks,
    request_parameter,
)
from logctx_lint.analysis.kept_places import local_values
from logctx_lint.analysis.own_class import class_node
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.class_members import enclosing_scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.rules.rule import Applies, Rule
from logctx_lint.syntax.ast_walk import all_nodes, is_name, mentions_attribute

_ADDERS = frozenset({"addCallback", "addBoth", "addCallbacks"})
_FINISH = "finish"
_KEEPING = frozenset({"append", "add", "appendleft", "put"})
_LOOKING = frozenset({NOTIFIES, "_disconnected", "finished", "connectionLost"})
"""Attributes by which code asks whether the client is there."""


def check(context: TreeContext) -> None:
    for call, _ in context.unit.nodes(ast.Call):
        if isinstance(call.func, ast.Attribute) and call.func.attr == NOTIFIES:
            _check_notice(context, call)
    for function, scope in context.unit.scopes.items():
        assert isinstance(function, FunctionNode)
        request = request_parameter(context.file, function, scope)
        chains = Chains(context.file, function, scope)
        _check_kept_notices(context, chains)
        if not request or not chains.answers_later:
            continue
        if _looks(class_node(context) or context.unit.node):
            continue
        answering = RequestCallbacks(context.file, scope)
        found = (
            _chain_that_answers(context, chains, answering)
            or _timer(context, chains, request)
            or _coroutine(context, chains, request)
            or _kept_request(context, chains, request)
        )
        if found is not None:
            context.report(
                RULE.code,
                found,
                f"`{request}` is finished when this is done, whether or not the client is still "
                f"connected: if it is not, `finish()` raises; ask `{request}.notifyFinish()`",
            )


def _check_notice(context: TreeContext, call: ast.Call) -> None:
    """`request.notifyFinish().addCallback(f)` alone: it fails where the client goes away."""
    added: list[ast.Call] = []
    node: ast.AST = call
    while (method := context.method_call(node)) is not None:
        added.append(method)
        node = method
    names = [each.func.attr for each in added if isinstance(each.func, ast.Attribute)]
    is_alone = set(names) == {"addCallback"} and isinstance(context.parent(node), ast.Expr)
    if is_alone and _is_of_request(context, call) and not of_dropped(context, added[-1]):
        _report_notice(context, added[0])


def _is_of_request(context: TreeContext, call: ast.Call) -> bool:
    """Whether a notice is that of twisted.web, and not one that the project has invented.

    Where the project has a method of this name, the object has to be known.
    """
    known = [each.owner for each in context.functions(call.func)]
    references, module = context.resolver.references, context.file.module
    owners = known or references.classes_with("members", NOTIFIES, module)
    return all(
        owner is not None
        and Role.REQUEST in context.file.vocabulary.roles(context.resolver.classes.names(owner))
        for owner in owners
    )


def _check_kept_notices(context: TreeContext, chains: Chains) -> None:
    """The same of a notice that a local name holds."""
    for chain in chains.found if NOTIFIES in context.unit.text else ():
        is_alone = chain.name and not chain.is_handed_on and chain.misses_disconnect
        is_seen = Outcomes(chains).is_seen(chain)
        if is_alone and not is_seen and _is_of_request(context, chain.root):
            _report_notice(context, chain.links[0].node)


def _report_notice(context: TreeContext, place: ast.expr) -> None:
    context.report(
        RULE.code,
        place,
        "this is not called where the client goes away: `notifyFinish()` fails then, and the "
        "failure is logged as unhandled; use `addBoth`, or add an errback",
    )


def _looks(node: ast.AST) -> bool:
    return any(each.attr in _LOOKING for each in all_nodes(node, ast.Attribute))


def _is_careful(context: TreeContext, callback: ast.expr) -> bool:
    """Whether a callback expects that answering may fail."""
    codes = (code_of(each) for each in context.functions(callback))
    return any(as_try(node) for code in codes if code for node in code.nodes)


def _chain_that_answers(
    context: TreeContext, chains: Chains, answering: RequestCallbacks
) -> ast.Call | None:
    """Where a callback is added that finishes the request, to whatever has callbacks."""
    for node in in_source_order(each for each in chains.nodes if isinstance(each, ast.Call)):
        match node:
            case ast.Call(ast.Attribute(_, name), [callback, *_]) if name in _ADDERS:
                if CallbackEffect.ENDS in answering.does(callback) and not _is_careful(
                    context, callback
                ):
                    return node
    return None


def _timer(context: TreeContext, chains: Chains, request: str) -> ast.Call | None:
    """A timer that calls what finishes the request it is given."""
    for node in chains.nodes:
        if not isinstance(node, ast.Call) or Role.TIMER not in context.roles(node):
            continue
        names = {each.id for each in arguments(node) if isinstance(each, ast.Name)}
        scope = chains.scope
        if request in names and any(
            CallbackEffect.ENDS in RequestCallbacks(context.file, scope).does(each)
            for each in arguments(node)
            if isinstance(each, ast.Attribute | ast.Lambda)
        ):
            return node
    return None


def _coroutine(context: TreeContext, chains: Chains, request: str) -> ast.Call | None:
    """Asynchronous work that is given the request, and finishes it once it has waited."""
    for node in in_source_order(each for each in chains.nodes if isinstance(each, ast.Call)):
        if any(is_name(each, request) for each in node.args):
            for function in context.functions(node.func):
                code = code_of(function)
                if code is not None and _waits(context, function) and _finishes_late(code.nodes):
                    return node
    return None


def _waits(context: TreeContext, function: Function) -> bool:
    """Whether a function is asynchronous, by `async def` or by a decorator."""
    if function.facts.is_async:
        return True
    scope = enclosing_scope(function)
    named = (context.resolver.names_of_text(each, scope) for each in function.facts.decorators)
    return any(Role.INLINE_CALLBACKS in context.file.vocabulary.roles(each) for each in named)


def _finishes_late(nodes: tuple[ast.AST, ...]) -> bool:
    waits = [each.lineno for each in nodes if isinstance(each, ast.Await | ast.Yield)]
    ends = [
        each.lineno
        for each in nodes
        if isinstance(each, ast.Call)
        and isinstance(each.func, ast.Attribute)
        and each.func.attr == _FINISH
    ]
    # Who looks for errors may expect this one.
    is_careful = any(as_try(each) for each in nodes)
    return bool(waits) and any(line > min(waits) for line in ends) and not is_careful


def _kept_request(context: TreeContext, chains: Chains, request: str) -> ast.Call | None:
    """`self.waiting.append(request)`, where another method finishes what is kept there."""
    cls = class_node(context)
    for node in chains.nodes if cls else ():
        match node:
            case ast.Call(
                ast.Attribute(ast.Attribute(ast.Name("self"), place), name), [ast.Name(kept)]
            ) if kept == request and name in _KEEPING:
                if cls and any(_finishes_kept(each, place) for each in cls.body):
                    return node
    return None


def _finishes_kept(method: ast.stmt, place: str) -> bool:
    """Whether a method finishes the requests that an attribute holds, in a loop or one of them."""
    if not isinstance(method, FunctionNode):
        return False
    nodes = list(all_nodes(method))
    if any(as_try(each) for each in nodes):
        return False
    values = local_values(method)
    for node in nodes:
        match node:
            case ast.Call(ast.Attribute(ast.Name(name), finish)) if finish == _FINISH:
                if any(mentions_attribute(value, place) for value in values.get(name, ())):
                    return True
    return False


def screen(unit: Unit) -> bool:
    """Whether the unit answers a request later, or asks for its end."""
    return "NOT_DONE_YET" in unit.text or NOTIFIES in unit.text


RULE = Rule(
    code="LCX503",
    fixes="none",
    screen=screen,
    check=check,
    applies=Applies.TWISTED,
)
