"""Coroutines that only run as tasks that nobody ever cancels.

self._reader = create_task(self._read())     # and `self._reader` is only asked for `done()`
create_task(self._announce())                # and nobody has got hold of it
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.call_sites import call_sites
from logctx_lint.analysis.called_code import outermost
from logctx_lint.analysis.cancellation.cancellation_state import Code, key_of
from logctx_lint.analysis.context import arguments
from logctx_lint.analysis.units import File
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.future_uses import Body
from logctx_lint.inference.types import functions_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import last_name

_STARTERS = frozenset({Role.TASK_STARTER})
_HAND_STARTERS = _STARTERS | {Role.HAND_STARTER}
_EVENTS = frozenset({Role.PROTOCOL_EVENT, Role.CONNECTION_END})
_DEEPEST = 3
"""How many coroutines in between are looked through."""
_LOOPS = frozenset({Role.EVENT_LOOP})
_LOOKS = frozenset(
    {"add", "add_done_callback", "append", "cancelled", "discard", "done", "exception", "get_name",
     "remove", "result", "set_name"}
)  # fmt: skip
"""Methods of a task, or of a collection of tasks, that cancel none."""
_KEEPS = frozenset({"add", "append"})


def is_never_cancelled(code: Code) -> bool:
    """Whether a coroutine function is the entry of tasks alone that nobody cancels."""
    function = code.scope.function
    if function is None:
        return False
    file = _File(code)
    sites = list(code.file.resolver.references.calls(function.name, function.module))
    return (
        bool(sites)
        and len(sites) == len(file.named(function.name))
        and all(
            scope.module == code.file.module and file.starts_lone_task(call, scope)
            for call, scope in sites
        )
    )


def is_out_of_reach(file: File, function: Function, depth: int = _DEEPEST) -> bool:
    """Whether all that runs a coroutine function on Twisted drops its Deferred: nobody is left who
    could cancel it.

    async def _process(self): await self._scrape()
    Deferred.fromCoroutine(self._process())

    What a transport calls, it drops: `connectionMade` under `@inlineCallbacks`.
    """
    sites = call_sites(file.resolver, function)
    is_event = bool(function.owner) and file.vocabulary.has_bare_name(function.name, _EVENTS)
    return (bool(sites) or is_event) and all(_is_dropped(file, *each, depth) for each in sites)


def _is_dropped(file: File, made: ast.Call, scope: Scope, depth: int) -> bool:
    outer = scope.node
    if not isinstance(outer, FunctionNode):
        return False
    around = Body(outer)
    parent = around.parent(made)
    if isinstance(parent, ast.Expr):
        return True
    if isinstance(parent, ast.Await | ast.Yield):
        return (
            scope.function is not None
            and depth > 0
            and is_out_of_reach(file, scope.function, depth - 1)
        )
    if not isinstance(parent, ast.Call) or not isinstance(around.parent(parent), ast.Expr):
        return False
    if file.roles(parent.func, scope) & _HAND_STARTERS:
        return True
    callees = functions_of(file.resolver.type_of(parent.func, scope))
    return bool(callees) and all(_drops(file, each, parent, made) for each in callees)


def _drops(file: File, function: Function, call: ast.Call, given: ast.Call) -> bool:
    """Whether a plain function does no more with a coroutine than to start it, and forget that."""
    node = None if function.module.is_stub else function.tree()
    if node is None or function.facts.is_async or given not in call.args:
        return False
    names = [each.name for each in function.facts.parameters]
    first = file.resolver.bindings.first_parameter(function)
    name = [*names[1 if first else 0 :], ""][call.args.index(given)]
    body = Body(node)
    uses = [each for each in body.nodes if isinstance(each, ast.Name) and each.id == name]
    starts = [body.parent(each) for each in uses]
    return bool(starts) and all(
        isinstance(each, ast.Call)
        and file.may_play(each.func, _HAND_STARTERS)
        and isinstance(body.parent(each), ast.Expr)
        for each in starts
    )


class _File:
    """The uses of names in the file that a function stands in."""

    def __init__(self, code: Code) -> None:
        self._file = code.file
        self._body = code.file.body

    def named(self, name: str) -> list[ast.expr]:
        """The uses of a name, or of attributes that are called so."""
        return [
            node
            for node in self._body.nodes
            if isinstance(node, ast.Name | ast.Attribute)
            and last_name(node) == name
            and isinstance(node.ctx, ast.Load)
        ]

    def starts_lone_task(self, made: ast.Call, scope: Scope) -> bool:
        """Of the `f()` in `create_task(f())`: whether nobody cancels that task."""
        outer = outermost(scope)
        if outer is None:
            return False
        around = Body(outer)
        start = around.parent(made)
        if not isinstance(start, ast.Call) or made not in arguments(start):
            return False
        if not self._starts_task(start, scope):
            return False
        match around.parent(start):
            case ast.Expr():
                return True
            case ast.Assign([target]) | ast.AnnAssign(target):
                return self._is_left_alone(target)
            case ast.Call(ast.Attribute(receiver, method)) if method in _KEEPS:
                return self._is_left_alone(receiver)
        return False

    def _starts_task(self, start: ast.Call, scope: Scope) -> bool:
        """Whether a call starts a task that stands alone, in no group that ends with others."""
        if self._file.roles(start.func, scope) & _STARTERS:
            return True
        match start.func:
            case ast.Attribute(receiver):
                by_name = self._file.may_play(start.func, _STARTERS)
                return by_name and self._file.may_play(receiver, _LOOPS)
        return False

    def _is_left_alone(self, handle: ast.expr) -> bool:
        """Whether what keeps a task is nowhere used to cancel it, or handed to others."""
        name = last_name(handle)
        if not key_of(handle) or (isinstance(handle, ast.Attribute) and not name.startswith("_")):
            return False
        return all(self._is_mere_look(each) for each in self.named(name))

    def _is_mere_look(self, use: ast.expr) -> bool:
        match self._body.parent(use):
            case ast.Attribute(_, name):
                return name in _LOOKS
            case ast.Call(ast.Attribute(receiver, name)) if name in _KEEPS:
                return self._is_left_alone(receiver)
            case ast.If() | ast.While() | ast.IfExp() | ast.UnaryOp() | ast.BoolOp():
                return True
            case ast.Await() | ast.Compare(_, [ast.Is() | ast.IsNot()]):
                return True
        return False
