"""Which framework cancels one function, asyncio, trio or Twisted, by what it awaits.

    async def fetch(self): await asyncio.sleep(1)       -> asyncio, in whatever package
    async def get(self): return await self.fetch()      -> asyncio, as `fetch` is

A file that imports both Twisted and asyncio has functions of either kind. Where nothing that a
function awaits says which, the file's own imports and then most of its package's decide; in a
package of another event loop nothing is known of what is cancelled.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.cancellation.cancellation_state import Code, of_function
from logctx_lint.analysis.exception_handlers import Cancellation
from logctx_lint.config.known_packages import FRAMEWORKS_OF
from logctx_lint.config.settings import Framework, Storage
from logctx_lint.inference.types import Kind, functions_of
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import body_nodes

LIVE = {
    Framework.TWISTED: Cancellation.TWISTED,
    Framework.ASYNCIO: Cancellation.ASYNCIO,
    Framework.BOTH: Cancellation.TWISTED | Cancellation.ASYNCIO,
}
_NAMED = {
    "asyncio": Cancellation.ASYNCIO,
    "trio": Cancellation.TRIO,
    "twisted": Cancellation.TWISTED,
}
_OF_KIND = {
    Kind.DEFERRED: Cancellation.TWISTED,
    Kind.FUTURE: Cancellation.ASYNCIO,
    Kind.TASK: Cancellation.ASYNCIO,
}
_APPLICATION = ("scope", "receive", "send")
"""The parameters of an ASGI application."""
_DEEPEST = 3
"""How many coroutines in between are looked through."""


def live_cancellation(code: Code) -> Cancellation:
    """The frameworks whose cancellation can come out of a function's suspension points."""
    found = _awaited(code, _DEEPEST, set())
    settings, traits = code.file.settings, code.file.traits
    if code.by_yield:
        # A generator under `@inlineCallbacks` is driven by Twisted.
        return Cancellation.TWISTED
    if found & Cancellation.TRIO and not found & Cancellation.TWISTED:
        return found
    if settings.framework is not None:
        return LIVE[settings.framework]
    if traits.storage is Storage.THREAD_LOCAL and traits.framework is Framework.BOTH:
        # Its log contexts follow Deferreds, whatever else is awaited.
        return LIVE[Framework.BOTH] if found is not Cancellation.ASYNCIO else found
    if not found and _is_application(code.node):
        return Cancellation.ASYNCIO
    if not found and traits.is_of_trio:
        return Cancellation.TRIO
    return found or (Cancellation.NONE if traits.on_other_loop else LIVE[traits.prevailing])


def _is_application(node: FunctionNode) -> bool:
    """Whether a function is an ASGI application, which asyncio runs in whatever package."""
    names = tuple(each.arg for each in node.args.args)
    return isinstance(node, ast.AsyncFunctionDef) and names[-3:] == _APPLICATION


def _awaited(code: Code, depth: int, seen: set[ast.AST]) -> Cancellation:
    """Whose awaitables a function awaits, as far as that is known."""
    seen.add(code.node)
    found, through = _awaited_by_itself(code)
    if found or not depth:
        return found
    for functions in through:
        for function in functions:
            inner = of_function(code.file, function)
            if inner is not None and inner.node not in seen:
                found |= _awaited(inner, depth - 1, seen)
        if found:
            break
    return found


_Awaited = tuple[Cancellation, tuple[tuple[Function, ...], ...]]
"""Whose awaitables a function awaits; of other awaited calls, the functions that each may reach."""
_NOTHING: _Awaited = (Cancellation.NONE, ())


def _awaited_by_itself(code: Code) -> _Awaited:
    """What a function awaits, as far as that is seen without a look into others."""
    key = "awaited", code.scope.function, code.by_yield
    summaries = code.file.summaries
    found: _Awaited = summaries.resolver.memo.get(
        summaries.remembered, key, lambda: _find_awaited(code), _NOTHING
    )
    return found


def _find_awaited(code: Code) -> _Awaited:
    found = Cancellation.NONE
    through: list[ast.Call] = []
    for awaited in _operands(code):
        own = _of_expression(code, awaited)
        if not own and isinstance(awaited, ast.Call):
            through.append(awaited)
        found |= own
    resolver = code.file.resolver
    types = [resolver.type_of(call.func, code.scope) for call in through if not found]
    return found, tuple(
        tuple(function.implementation for function in functions_of(each)) for each in types
    )


def _operands(code: Code) -> Iterator[ast.expr]:
    for node in body_nodes(code.node):
        match node:
            case ast.Await(value):
                yield value
            case ast.Yield(ast.expr() as value) if code.by_yield:
                yield value
            case ast.AsyncFor(iter=iterated):
                yield iterated
            case ast.AsyncWith(items):
                yield from (item.context_expr for item in items)


def _of_expression(code: Code, node: ast.expr) -> Cancellation:
    found = Cancellation.NONE
    for name in code.names(node) if isinstance(node, ast.Call) else ():
        for framework in FRAMEWORKS_OF.get(name.partition(".")[0], ()):
            found |= _NAMED[framework]
    resolver = code.file.resolver
    kind = resolver.awaitability(resolver.type_of(node, code.scope)).kind
    if kind is not None:
        found |= _OF_KIND.get(kind, Cancellation.NONE)
    return found
