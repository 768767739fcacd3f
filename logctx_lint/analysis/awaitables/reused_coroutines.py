"""Coroutine objects that are stored and awaited more than once: by a retry, a cache, later calls.

for _ in range(3):                        # retries await one coroutine again
    try:
        return await coroutine
    except OSError: ...

if key not in self.known:                 # a cache of coroutines
    self.known[key] = load(key)
return await self.known[key]

LOADING = load("x")                       # one for all calls of a function
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.deferreds.lazy_initialization import puts_where_nothing_is
from logctx_lint.analysis.kept_places import place_text, taken_from
from logctx_lint.analysis.surroundings import within
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Profile
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.types import FunctionType, Kind, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    body_nodes,
    holding,
    last_name,
    own_nodes,
    place_name,
)

_WAITERS = frozenset({Role.FORWARDING_GATHERER, Role.CANCELLATION_SHIELD})
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_LEAVING = (ast.Return, ast.Raise, ast.Break)
_EMPTYING = frozenset({"pop", "popitem", "clear"})


@dataclass(frozen=True, slots=True)
class ReusedCoroutine:
    """Where a coroutine is waited for, or given out, that was or will be waited for elsewhere."""

    node: ast.AST
    value: ast.expr
    why: str
    profile: Profile = Profile.RECOMMENDED
    kind: Kind = Kind.COROUTINE


def reused_coroutines(context: TreeContext, function: FunctionNode) -> Iterator[ReusedCoroutine]:
    """Every such place in one function."""
    for node in body_nodes(function):
        match node:
            case ast.Await(value):
                for each in _waited_for(context, value):
                    if retried := _retried(context, node, each, is_bare=each is value):
                        yield retried
                    elif found := _cached(context, function, each):
                        yield ReusedCoroutine(node, each, found)
                    elif _is_of_module(context, each):
                        why = "it is made once, where the module is imported"
                        yield ReusedCoroutine(node, each, why, Profile.STRICT)
            case ast.Return(ast.expr() as value) if isinstance(function, ast.FunctionDef):
                if found := _cached(context, function, value):
                    yield ReusedCoroutine(node, value, found)


def may_reuse_coroutines(unit: Unit) -> bool:
    """Whether there is a retry, a place for a call's value, or such a name; by names alone."""
    statements = [each for each, _ in unit.statements]
    if any(isinstance(each, ast.Try) for each in statements) and any(
        isinstance(each, _LOOPS) for each in statements
    ):
        return any(True for _ in unit.nodes(ast.Await))
    if any(
        isinstance(each.value, ast.Call)
        and any(isinstance(target, ast.Attribute | ast.Subscript) for target in each.targets)
        and unit.file.prefilter.may_give_awaitable(each.value, scope)
        for each, scope in unit.nodes(ast.Assign)
    ):
        return True
    variables = unit.file.module.facts.variables
    return any(
        isinstance(each.value, ast.Name) and each.value.id in variables
        for each, _ in unit.nodes(ast.Await)
    )


def _waited_for(context: TreeContext, value: ast.expr) -> Iterator[ast.expr]:
    """What is awaited, or given to `wait_for`, `gather` or `shield` to be awaited."""
    if isinstance(value, ast.Call) and context.roles(value) & _WAITERS:
        for each in value.args:
            yield from _waited_for(context, each)
    elif isinstance(value, ast.Name | ast.Attribute | ast.Subscript):
        yield value


def _makes_coroutine(context: TreeContext, value: ast.expr | None, scope: Scope) -> bool:
    """Whether a value is the call of an `async def`, as it is without a decorator."""
    if not isinstance(value, ast.Call):
        return False
    resolver = context.resolver
    answer = resolver.awaitability(resolver.type_of(value, scope))
    callees = members_of(resolver.type_of(value.func, scope))
    return answer.is_certain and all(
        isinstance(each, FunctionType)
        and each.function.facts.is_async
        and not each.function.facts.is_generator
        and not changes_result(context, each.function)
        for each in callees
    )


def changes_result(context: TreeContext, function: Function) -> bool:
    """Whether a decorator may make something else of a coroutine; a cache gives the very same."""
    decorators = function.facts.decorators
    roles = context.decorator_roles(function)
    return bool(decorators) and not (len(decorators) == 1 and Role.RESULT_CACHE in roles)


# Retries


def _retried(
    context: TreeContext, node: ast.Await, value: ast.expr, *, is_bare: bool
) -> ReusedCoroutine | None:
    """A coroutine that a loop awaits again when it has failed."""
    loop = _retrying_loop(context, node) if isinstance(value, ast.Name) else None
    if loop is None or not isinstance(value, ast.Name):
        return None
    kind = _retried_kind(context, loop, value, is_bare=is_bare)
    if kind is None:
        return None
    why = f"the loop (line {loop.lineno}) goes on with it when it has failed"
    profile = Profile.RECOMMENDED if kind.is_lazy else Profile.STRICT
    return ReusedCoroutine(node, value, why, profile, kind)


def _retried_kind(
    context: TreeContext, loop: ast.stmt, value: ast.Name, *, is_bare: bool
) -> Kind | None:
    """The kind of awaitable that was bound to a name before a loop, and ends but once."""
    kind, scope = Kind.COROUTINE, context.scopes[value]
    bindings = scope.reaching_name(value)
    for each in bindings:
        if each.kind == "parameter":
            # A task may be waited for again; an awaitable that ended has ended.
            kinds = {Kind.COROUTINE, Kind.AWAITABLE} if is_bare else {Kind.COROUTINE}
            answer = context.awaitability(value)
            if not answer.is_certain or answer.kind not in kinds:
                return None
            kind = answer.kind
        elif (
            each.kind != "value"
            or each.path
            or not _makes_coroutine(context, each.value, scope)
            or any(inner is each.value for inner in own_nodes([loop]))
        ):
            return None
    return kind if bindings else None


def _retrying_loop(context: TreeContext, node: ast.AST) -> ast.stmt | None:
    """The loop that a handler around a node lets go round once more."""
    is_retried = False
    for outer, inner in within(context, node):
        if isinstance(outer, ast.Try):
            if inner not in outer.body:
                return None
            goes_on = any(not isinstance(each.body[-1], _LEAVING) for each in outer.handlers)
            is_retried = is_retried or goes_on
            if outer.finalbody and isinstance(outer.finalbody[-1], _LEAVING):
                return None
        elif isinstance(outer, _LOOPS):
            is_last = any(isinstance(each, _LEAVING) for each in outer.body if each is not inner)
            return outer if is_retried and inner in outer.body and not is_last else None
        elif isinstance(outer, ast.Lambda | ast.If | ast.Match | ast.comprehension):
            return None
    return None


# Caches


def _cached(context: TreeContext, function: FunctionNode, value: ast.expr) -> str:
    """Whether a function puts a coroutine where nothing is yet, and later calls find it there."""
    place = taken_from(value, function)
    if place is None:
        return ""
    text, scope = place_text(place), context.unit.scopes[function]
    puts = [
        node
        for node in body_nodes(function, ast.Assign)
        if any(place_text(each) == text for each in node.targets)
    ]
    if not puts or not all(_makes_coroutine(context, each.value, scope) for each in puts):
        return ""
    if not puts_where_nothing_is(place, function):
        return ""
    holder = holding(place)
    if _is_emptied(context, holder, puts):
        return ""
    return (
        f"`{ast.unparse(puts[0].targets[-1])}` keeps it for the next call (line {puts[0].lineno})"
    )


def _is_emptied(context: TreeContext, holder: ast.expr, puts: list[ast.Assign]) -> bool:
    """Whether anything in the file takes out, or sets back, what stands in a place."""
    name = last_name(holder)
    for node in all_nodes(context.file.tree):
        match node:
            case ast.Delete(targets):
                emptied = targets
            case ast.Call(ast.Attribute(receiver, method)) if method in _EMPTYING:
                emptied = [receiver]
            case ast.Assign(targets, value) if node not in puts and not _is_first(context, value):
                emptied = targets
            case _:
                continue
        if any(place_name(each) == name for each in emptied):
            return True
    return False


def _is_first(context: TreeContext, value: ast.expr) -> bool:
    """Whether a value is what a place holds at first, given in an `__init__` or outside of all."""
    tree = context.file.tree
    return not any(
        isinstance(node, FunctionNode)
        and node.name != "__init__"
        and any(each is value for each in body_nodes(node))
        for node in all_nodes(tree)
    )


# Variables of the module


def _is_of_module(context: TreeContext, value: ast.expr) -> bool:
    """Whether a name is that of a coroutine which the module makes when it is imported."""
    if not isinstance(value, ast.Name):
        return False
    scope: Scope | None = context.scopes[value]
    while scope is not None:
        if value.id in scope.bindings:
            return False
        scope = scope.parent
    module = context.file.module
    variables = module.facts.variables.get(value.id, ())
    is_set_elsewhere = any(
        value.id in node.names for node in all_nodes(context.file.tree, ast.Global)
    )
    return (
        len(variables) == 1
        and not is_set_elsewhere
        and _makes_coroutine(context, parse_expression(variables[0].value), Scope(module))
    )
