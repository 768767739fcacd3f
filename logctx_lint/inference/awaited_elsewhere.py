"""Calls of unknown type that are presumed awaitable, as the file awaits all others like them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from logctx_lint.inference.narrowing import dotted
from logctx_lint.inference.types import UNKNOWN, Presumed, Type
from logctx_lint.inference.use_def import Comprehension, Scope
from logctx_lint.project.always_awaited import AlwaysAwaited
from logctx_lint.project.always_awaited import path_of as awaited_path
from logctx_lint.project.awaitable_names import INLINE_CALLBACKS, words_of
from logctx_lint.project.facts import FunctionFacts
from logctx_lint.project.modules import Module
from logctx_lint.syntax.ast_walk import last_name

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver

_NOTHING = AlwaysAwaited()


def always_awaited(module: Module) -> AlwaysAwaited:
    """What a module awaits wherever it calls it, but for one place; see `path_of`."""
    return _NOTHING if module.is_foreign or module.is_test else module.always_awaited


def path_of(callee: ast.expr) -> str:
    """What is called, by its last names; empty where an object on the way has none."""
    match callee:
        case ast.Attribute(ast.Name() | ast.Attribute() as receiver):
            named = dotted(receiver)
            return awaited_path(f"{named or last_name(receiver)}.{callee.attr}")
    return dotted(callee)


def result(resolver: Resolver, callee: ast.expr, scope: Scope) -> Type:
    """What a call very likely gives of which nothing else is known, where it can be awaited."""
    path, known = path_of(callee), always_awaited(scope.module)
    if path not in known.everywhere:
        return UNKNOWN
    while isinstance(scope.node, Comprehension) and scope.parent:
        scope = scope.parent
    facts = scope.function.facts if scope.function else None
    if facts is None or (isinstance(callee, ast.Name) and callee.id in scope.bindings):
        return UNKNOWN
    if facts.is_async:
        awaitable = resolver.typed("Awaitable", UNKNOWN)
        return Presumed(awaitable, ()) if path in known.by_await else UNKNOWN
    if is_inlined(facts):
        return Presumed(resolver.deferred, ())
    return UNKNOWN


def is_inlined(facts: FunctionFacts) -> bool:
    """Whether a generator awaits by `yield`, under `@inlineCallbacks`."""
    return any(INLINE_CALLBACKS & words_of(each) for each in facts.decorators)
