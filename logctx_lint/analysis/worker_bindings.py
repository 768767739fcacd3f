"""What a loop that serves one request after the other binds to the context and never takes out.

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
from logctx_lint.analysis.loop_turns import Turn
from logctx_lint.analysis.work_loops import Loop, Serves, served
from logctx_lint.config.vocabulary import Role
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import own_nodes

_SET = "contextvars.ContextVar.set"
_BOUND = frozenset({Role.CONTEXT_TOKEN})
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
    loop: Loop
    binder: ast.expr
    """The function that binds, as the loop or the helper that it calls has it."""
    remains: Remains
    seen_by: ast.Call | None
    """What runs while it is bound and does not belong to it, as far as the function shows."""
    is_set: bool
    """Whether it is `variable.set`."""
    is_of_requests: bool
    """Whether the turns are known to belong to different requests."""


def left_bindings(context: TreeContext, function: FunctionNode) -> Iterator[LeftBinding]:
    """What the loops of a function bind in one turn and leave for the next."""
    found: set[ast.Call] = set()
    loops = (each for each in own_nodes(function.body) if isinstance(each, Loop))
    for loop in in_source_order(loops):
        serves = served(context, loop)
        if serves is None or serves is Serves.CONNECTION:
            continue
        inside = [loop.iter, *loop.body] if isinstance(loop, ast.AsyncFor) else loop.body
        calls = in_source_order(each for each in own_nodes(inside) if isinstance(each, ast.Call))
        if any(_undoes(context, each) for each in calls):
            continue
        for call in calls:
            if call in found or not isinstance(context.parent(call), ast.Expr):
                continue
            left = _left_by(context, loop, call, is_of_requests=serves is Serves.REQUESTS)
            if left is not None:
                found.add(call)
                yield left
                break


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
    context: TreeContext, loop: Loop, call: ast.Call, *, is_of_requests: bool
) -> LeftBinding | None:
    """What a call binds that is not the same for all turns, and who finds it there."""
    found = _binder(context, call)
    if found is None:
        return None
    binder, code = found
    turn = Turn(context, loop)
    varies = turn.varies(arguments(call)) if code is None else _varies_by(turn, call, binder, code)
    if not varies and not turn.is_chosen(call):
        return None
    remains, seen = Remains.IN_OTHERS, turn.runs_otherwise(call)
    is_set = _is_set(context, binder, code)
    if seen is None and not _binds_any_names(binder):
        if is_set:
            return None  # What each turn sets anew lasts for the turn only.
        remains, seen = Remains.BEFORE, turn.logged_before(call)
        if seen is None:
            remains, seen = Remains.BEHIND, turn.logged_behind()
        if seen is None:
            remains = Remains.WHILE_WAITING
    if remains is Remains.WHILE_WAITING and not is_of_requests:
        return None
    return LeftBinding(call, loop, binder.func, remains, seen, is_set, is_of_requests)


def _binder(context: TreeContext, call: ast.Call) -> tuple[ast.Call, Code | None] | None:
    """What of a call, or of the helper that it calls, binds something and drops the token."""
    if Role.CONTEXT_TOKEN in context.roles(call):
        return call, None
    functions = context.functions(call.func)
    if len(functions) != 1 or functions[0].facts.is_generator:
        return None
    code = code_of(functions[0])
    for node in code.nodes if code else ():
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and code:
            binder = node.value
            if not context.file.may_play(binder.func, _BOUND) or _is_set(context, binder, code):
                continue
            if Role.CONTEXT_TOKEN in context.file.roles(binder.func, code.scope):
                return binder, code
    return None


def _is_set(context: TreeContext, binder: ast.Call, code: Code | None) -> bool:
    scope = code.scope if code else context.scopes[binder.func]
    return _SET in context.resolver.names(binder.func, scope)


def _varies_by(turn: Turn, call: ast.Call, binder: ast.Call, code: Code) -> bool:
    """Whether what a helper binds may be different for each call of it in a loop."""
    bound = arguments(binder)
    if turn.varies(bound, code.scope):
        return True
    names = {each.id for each in own_nodes(bound) if isinstance(each, ast.Name)}
    return not names.isdisjoint(code.scope.bindings) and turn.varies([call.func, *arguments(call)])


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
