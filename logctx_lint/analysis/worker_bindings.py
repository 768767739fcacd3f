"""What a loop that serves one request after the other binds to the context and never takes out.

while True:
    job = await queue.get()
    bind_contextvars(job_id=job.id)     # The next `queue.get()` waits, and logs, as this job.
    await job.run()
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.called_code import code_of
from logctx_lint.analysis.context import TreeContext, in_source_order
from logctx_lint.config.vocabulary import Role
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import own_nodes

_SET = "contextvars.ContextVar.set"
_BOUND = frozenset({Role.CONTEXT_TOKEN})
_UNDOING = frozenset({Role.TOKEN_RESETTER, Role.CONTEXT_UNBINDER})
_WAITING = frozenset(
    {"get", "recv", "receive", "read", "readline", "poll", "next_message", "accept"}
)


@dataclass(frozen=True, slots=True)
class LeftBinding:
    """A call in a loop that binds something, and what it is bound by."""

    call: ast.Call
    loop: ast.stmt
    binder: ast.expr
    """The function that binds, as the loop or the helper that it calls has it."""


def left_bindings(context: TreeContext, function: FunctionNode) -> Iterator[LeftBinding]:
    """What the loops of a function bind in one turn and leave for the next."""
    for loop in own_nodes(function.body):
        if not isinstance(loop, ast.While | ast.AsyncFor) or not _serves(loop):
            continue
        calls = in_source_order(e for e in own_nodes(loop.body) if isinstance(e, ast.Call))
        if any(_undoes(context, each) for each in calls):
            continue
        for call in calls:
            binder = _binder(context, call)
            if binder is not None and isinstance(context.parent(call), ast.Expr):
                yield LeftBinding(call, loop, binder)
                break


def _serves(loop: ast.While | ast.AsyncFor) -> bool:
    """Whether a loop waits for the next thing to do, again and again."""
    if isinstance(loop, ast.AsyncFor):
        return True
    if any(isinstance(each, ast.Return) for each in loop.body):
        return False
    return any(
        isinstance(each, ast.Call)
        and isinstance(each.func, ast.Attribute)
        and each.func.attr in _WAITING
        for each in own_nodes(loop.body)
    )


def _undoes(context: TreeContext, call: ast.Call) -> bool:
    if not _UNDOING.isdisjoint(context.roles(call)):
        return True
    for function in context.functions(call.func):
        code = code_of(function)
        for node in code.nodes if code else ():
            if isinstance(node, ast.Call) and context.file.may_play(node.func, _UNDOING):
                return True
    return False


def _binder(context: TreeContext, call: ast.Call) -> ast.expr | None:
    """What of a call, or of the helper that it calls, binds something and drops the token."""
    if Role.CONTEXT_TOKEN in context.roles(call):
        is_set = _SET in context.names(call)
        # What each turn sets anew lasts for the turn only.
        return call.func if not is_set or _is_conditional(context, call) else None
    functions = context.functions(call.func)
    if len(functions) != 1 or functions[0].facts.is_generator:
        return None
    code = code_of(functions[0])
    for node in code.nodes if code else ():
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and code:
            func = node.value.func
            if context.file.may_play(func, _BOUND):
                names = context.resolver.names(func, code.scope)
                is_bound = Role.CONTEXT_TOKEN in context.file.vocabulary.roles(names)
                if is_bound and _SET not in names:
                    return func
    return None


def _is_conditional(context: TreeContext, call: ast.Call) -> bool:
    """Whether some turns of the loop set nothing."""
    inner: ast.AST = call
    for outer in context.around(call):
        if isinstance(outer, ast.While | ast.AsyncFor | FunctionNode):
            return False
        if isinstance(outer, ast.If):
            return not outer.orelse and inner is not outer.test
        inner = outer
    return False
