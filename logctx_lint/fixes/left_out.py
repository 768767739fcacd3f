"""Where to let the cancellation pass by a handler may leave out what has to be done.

async def destroy(self):
    try:
        await self.manager.destroy(self)
    except BaseException:
        pass                    # So that, whatever happens,
    self.receivers = {}         # this is done.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.cancellation.state_changes import outlives, undone
from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.shields import is_shield
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.narrowing import LEAVING
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import own_nodes

_ENDING = frozenset({Role.RELEASER, Role.SERVICE_END})
_TELLING = frozenset(
    {"set", "set_result", "set_exception", "callback", "errback", "cancel", "clear", "shutdown",
     "notify", "notify_all", "put_nowait", "task_done", "loseConnection"}
)  # fmt: skip
"""Methods by which somebody learns that something is over."""
_UNDONE = frozenset({"item", "member", "lock", "Add"})
_LOOPS = (ast.For, ast.AsyncFor)
_EMPTY = frozenset({"dict", "list", "set", "tuple", "frozenset"})


def may_leave_out(context: TreeContext, node: ast.AST, handler: ast.ExceptHandler) -> bool:
    """Whether a function ends something behind a handler, or waits there as it cleans up."""
    return (
        _is_in_finally(context, node)
        or _waits_shielded(context, node)
        or any(_ends_something(context, each) for each in _following(context, node, handler))
    )


def _is_in_finally(context: TreeContext, node: ast.AST) -> bool:
    """Whether what is caught would hide how the work itself has ended."""
    inner: ast.AST = node
    for outer in context.around(node):
        if isinstance(outer, FunctionNode):
            break
        if inner in getattr(outer, "finalbody", ()):
            return True
        inner = outer
    return False


def _waits_shielded(context: TreeContext, node: ast.AST) -> bool:
    """Whether only the waiting ends by a cancellation, and the work goes on: that is meant."""
    return any(is_shield(context, each) for each in own_nodes(node.body))  # type: ignore[attr-defined]


def _following(
    context: TreeContext, node: ast.AST, handler: ast.ExceptHandler
) -> Iterator[ast.AST]:
    """All that may run behind a handler that leaves its function by no way of its own."""
    if isinstance(handler.body[-1], ast.Return | ast.Raise):
        return
    goes_on = not isinstance(handler.body[-1], LEAVING)
    if goes_on:
        yield from own_nodes(context.behind(node))
    for outer in context.around(node):
        if isinstance(outer, FunctionNode | ast.Lambda | ast.ClassDef):
            return
        if isinstance(outer, _LOOPS):
            # The others of a list, which end one by one.
            yield from own_nodes(outer.body)
            goes_on = True
        elif isinstance(outer, ast.While):
            goes_on = True
        if goes_on and isinstance(outer, ast.stmt):
            yield from own_nodes(context.behind(outer))


def _ends_something(context: TreeContext, node: ast.AST) -> bool:
    match node:
        case ast.Assign([*_, ast.Attribute()], value):
            return _is_empty(value)
        case ast.Call(ast.Attribute(attr=name) as func):
            return name in _TELLING or context.file.may_play(func, _ENDING)
        case ast.Call(ast.Name() as func):
            return context.file.may_play(func, _ENDING)
        case ast.Delete([ast.Attribute(), *_]):
            return True
        case ast.stmt():
            scope = context.scopes[node]
            return any(each.kind in _UNDONE and outlives(each, scope) for each in undone(node))
    return False


def _is_empty(value: ast.expr) -> bool:
    match value:
        case ast.Constant(None | False):
            return True
        case ast.Dict(keys=[]) | ast.List(elts=[]) | ast.Tuple(elts=[]):
            return True
        case ast.Call(ast.Name(name), [], []):
            return name in _EMPTY
    return False
