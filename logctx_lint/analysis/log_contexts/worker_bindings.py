"""Context bindings that a serving loop makes for one request and leaves for the next.

while True:
    job = await queue.get()
    if job.tenant:
        bind_contextvars(tenant=job.tenant)     # The next job without one runs as this tenant's.
    await job.run()
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from logctx_lint.analysis.called_code import Code, code_of
from logctx_lint.analysis.context import TreeContext, arguments, in_source_order
from logctx_lint.analysis.log_contexts.loop_turns import Turn
from logctx_lint.analysis.log_contexts.work_loops import Loop, Serves, served
from logctx_lint.config.vocabulary import Role
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import body_nodes, own_nodes

_SET = "contextvars.ContextVar.set"
_BOUND = frozenset({Role.CONTEXT_TOKEN})
_CHOICES = (ast.If, ast.Match, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler)
_UNDOING = frozenset({Role.TOKEN_RESETTER, Role.CONTEXT_UNBINDER})


class Remains(Enum):
    """Who finds there what one turn of a loop has bound."""

    IN_OTHERS = "turns that do not bind it"
    BEFORE = "the next turn, before it binds its own"
    BEHIND = "what comes behind the loop"
    WHILE_WAITING = "the wait for the next turn"


@dataclass(frozen=True, slots=True)
class LeftBinding:
    """A call in a loop that binds something, and what it is bound by."""

    call: ast.Call
    loop: ast.For | Loop
    binder: ast.expr
    """The function that binds, as the loop or the helper that it calls has it."""
    remains: Remains
    seen_by: ast.Call | None
    """What runs while it is bound and does not belong to it, as far as the function shows."""
    is_set: bool
    """Whether it is `variable.set`."""
    is_of_requests: bool
    """Whether the turns are known to belong to different requests."""


@dataclass(frozen=True, slots=True)
class _Bound:
    """A call that binds something, itself or by a helper, whose code is kept then."""

    call: ast.Call
    binder: ast.Call
    code: Code | None


def left_bindings(context: TreeContext, function: FunctionNode) -> Iterator[LeftBinding]:
    """What the loops of a function bind in one turn and leave for the next."""
    found: set[ast.Call] = set()
    loops = (each for each in body_nodes(function) if isinstance(each, Loop))
    for loop in in_source_order(loops):
        serves = served(context, loop)
        if serves is None or serves is Serves.CONNECTION:
            continue
        bound = (each for each in _bound_in_turn(context, loop) if each.call not in found)
        lefts = [left for each in bound if (left := _left_by(context, loop, each, serves))]
        # What other turns find there says more than what lasts until the next one.
        for left in sorted(lefts, key=lambda each: each.remains is not Remains.IN_OTHERS)[:1]:
            found.add(left.call)
            yield left


def _bound_in_turn(context: TreeContext, loop: Loop) -> list[_Bound]:
    """What a loop binds in one turn, if no call in it may undo that."""
    inside = [loop.iter, *loop.body] if isinstance(loop, ast.AsyncFor) else loop.body
    calls = in_source_order(own_nodes(inside, ast.Call))
    statements = (each for each in calls if _is_statement(context, each))
    bound = [each for call in statements for each in _bound(context, call)]
    return [] if bound and any(_undoes(context, each) for each in calls) else bound


def _is_statement(context: TreeContext, call: ast.Call) -> bool:
    """`bind(job)`, `await self._work(job)`: what a coroutine binds is bound where it is awaited."""
    parent = context.parent(call)
    return isinstance(context.parent(parent) if isinstance(parent, ast.Await) else parent, ast.Expr)


def _undoes(context: TreeContext, call: ast.Call) -> bool:
    if not _UNDOING.isdisjoint(context.roles(call)):
        return True
    for function in context.functions(call.func):
        code = code_of(function)
        for node in code.nodes if code else ():
            if isinstance(node, ast.Call) and context.file.may_play(node.func, _UNDOING):
                return True
    return False


def _left_by(
    context: TreeContext, served_by: Loop, bound: _Bound, serves: Serves
) -> LeftBinding | None:
    """What is bound that is not the same for all turns, and who finds it there."""
    turn, call, binder = Turn(context, served_by), bound.call, bound.binder
    loop: ast.For | Loop = served_by
    if not _varies(turn, bound) and not turn.is_chosen(call):
        return None
    remains, seen = Remains.IN_OTHERS, turn.runs_otherwise(call)
    if seen is None and not _always_binds(bound):
        seen = turn.runs_behind(call) or _runs_in_helper(context, bound)
    is_set = _is_set(context, binder, bound.code)
    is_of_requests = serves is Serves.REQUESTS
    if seen is None and not _binds_any_names(binder):
        if is_set:
            return None  # What each turn sets anew lasts for the turn only.
        remains, seen = Remains.BEFORE, turn.logged_before(call)
        if seen is None:
            remains, loop, seen = Remains.BEHIND, *turn.logged_behind(call)
        if seen is None:
            remains = Remains.WHILE_WAITING
    if remains is Remains.WHILE_WAITING and not is_of_requests:
        return None
    return LeftBinding(call, loop, binder.func, remains, seen, is_set, is_of_requests)


def _bound(context: TreeContext, call: ast.Call) -> Iterator[_Bound]:
    """What of a call, or of the helper that it calls, binds something and drops the token."""
    if Role.CONTEXT_TOKEN in context.roles(call):
        yield _Bound(call, call, None)
        return
    functions = context.functions(call.func)
    if len(functions) != 1 or functions[0].facts.is_generator:
        return
    code = code_of(functions[0])
    for node in code.nodes if code else ():
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and code:
            binder = node.value
            if not context.file.may_play(binder.func, _BOUND) or _is_set(context, binder, code):
                continue
            if Role.CONTEXT_TOKEN in context.file.roles(binder.func, code.scope):
                yield _Bound(call, binder, code)


def _is_set(context: TreeContext, binder: ast.Call, code: Code | None) -> bool:
    scope = code.scope if code else context.scopes[binder.func]
    return _SET in context.resolver.names(binder.func, scope)


def _varies(turn: Turn, bound: _Bound) -> bool:
    """Whether what is bound may be different in each turn of a loop."""
    given, call, code = arguments(bound.binder), bound.call, bound.code
    if code is None:
        return turn.varies(given)
    if turn.varies(given, code.scope):
        return True
    names = {each.id for each in own_nodes(given, ast.Name)}
    return not names.isdisjoint(code.scope.bindings) and turn.varies([call.func, *arguments(call)])


def _always_binds(bound: _Bound) -> bool:
    """Whether a helper binds in each of its calls: under no condition, and behind no `return`."""
    for node in bound.code.nodes if bound.code else ():
        if isinstance(node, _CHOICES) and bound.binder in own_nodes([node]):
            return False
        if isinstance(node, ast.Return) and node.lineno < bound.binder.lineno:
            return False
    return True


def _runs_in_helper(context: TreeContext, bound: _Bound) -> ast.Call | None:
    """What a helper of this file runs behind the choice by which it binds or does not."""
    helper = bound.code.function if bound.code else None
    node = helper.tree() if helper and helper.module is context.file.module else None
    body = node.body if node else []
    holding = (i for i, each in enumerate(body) if bound.binder in own_nodes([each]))
    behind = body[next(holding, len(body)) + 1 :]
    calls = in_source_order(each for each in own_nodes(behind) if isinstance(each, ast.Call))
    return next(iter(calls), None)


def _binds_any_names(binder: ast.Call) -> bool:
    """`bind_contextvars(**labels)`: another turn may bind others."""
    return any(
        each.arg is None
        and not (
            isinstance(each.value, ast.Dict)
            and all(isinstance(key, ast.Constant) for key in each.value.keys)
        )
        for each in binder.keywords
    )
