"""Loops that serve one request after another, and those that read from one connection.

while True:                                 async def connected(socket):
    job = await queue.get()                     async for message in socket:
    ...  # Each job is somebody else's.             ...  # The task ends with its connection.
"""

from __future__ import annotations

import ast
from enum import Enum

from logctx_lint.analysis.context import TreeContext, arguments
from logctx_lint.analysis.log_contexts.log_contexts import plays
from logctx_lint.analysis.surroundings import within
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.types import UNKNOWN
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, last_name, own_nodes

Loop = ast.While | ast.AsyncFor
_SOURCES, _CONNECTIONS = frozenset({Role.WORK_SOURCE}), frozenset({Role.CONNECTION})
_SERVERS = frozenset({Role.CONNECTION_SERVER})
_LOOPS = (ast.While, ast.For, ast.AsyncFor)
_AWAITS = (ast.Await, ast.Yield)


class Serves(Enum):
    """What a loop takes from where it waits for something to do."""

    REQUESTS = "each is somebody else's"
    UNKNOWN = "something, from who knows where"
    CONNECTION = "what one peer sends, until it is gone"


def served(context: TreeContext, loop: Loop) -> Serves | None:
    """What a loop serves; None if it waits for nothing."""
    found: Serves | None
    if isinstance(loop, ast.AsyncFor):
        found = _iterated(context, loop.iter)
    else:
        if any(isinstance(each, ast.Return) for each in loop.body):
            return None
        nodes = own_nodes([loop.test, *loop.body])
        calls = (e for e in nodes if isinstance(e, ast.Call))
        may_wait = (each for each in calls if context.file.may_play(each.func, _SOURCES))
        kinds = {_waited_for(context, each) for each in may_wait}
        # A worker may talk to somebody on behalf of each request.
        found = next((each for each in Serves if each in kinds), None)
    if found is Serves.CONNECTION and _goes_on(context, loop):
        return Serves.UNKNOWN
    return found


def _iterated(context: TreeContext, iterated: ast.expr) -> Serves:
    """`async for message in consumer`, or in `websocket.iter_text()`."""
    receiver = iterated
    if isinstance(iterated, ast.Call) and isinstance(iterated.func, ast.Attribute):
        receiver = iterated.func.value
    scope = context.scopes[receiver]
    if plays(context.file, receiver, scope, _CONNECTIONS) or _is_peer(context, receiver):
        return Serves.CONNECTION
    is_source = any(
        plays(context.file, each, scope, _SOURCES) for each in dict.fromkeys((iterated, receiver))
    )
    return Serves.REQUESTS if is_source else Serves.UNKNOWN


def _waited_for(context: TreeContext, call: ast.Call) -> Serves | None:
    """`queue.get()`, `listener.accept()`, `reader.readline()`."""
    if not isinstance(call.func, ast.Attribute):
        return None
    receiver, scope = call.func.value, context.scopes[call]
    if Role.WORK_SOURCE in context.roles(call):
        return Serves.REQUESTS
    if _is_peer(context, receiver) or plays(context.file, receiver, scope, _CONNECTIONS):
        return Serves.CONNECTION if _is_awaited(context, call) else None
    # Of an object that is not known, only a call without arguments tells: a `dict` has `get`, too.
    if call.args or context.type_of(receiver) != UNKNOWN:
        return None
    may_be_peer = context.file.may_play(call.func, _CONNECTIONS)
    return Serves.UNKNOWN if may_be_peer else Serves.REQUESTS


def _is_awaited(context: TreeContext, call: ast.Call) -> bool:
    """Whether a call is awaited, itself or as in `await wait_for(queue.get(), 5)`."""
    for outer in context.around(call):
        if isinstance(outer, _AWAITS):
            return True
        if isinstance(outer, ast.stmt):
            return False
    return False


def _is_peer(context: TreeContext, node: ast.expr) -> bool:
    """Whether it is a parameter that a server fills with one connection, a task for each."""
    function = context.function_of(node)
    if not isinstance(node, ast.Name) or not isinstance(function, FunctionNode):
        return False
    scope = context.scopes[node]
    bindings = scope.reaching_name(node)
    return {each.kind for each in bindings} == {"parameter"} and any(
        context.file.may_play(each.func, _SERVERS)
        and function.name in map(last_name, arguments(each))
        for each in all_nodes(context.file.tree, ast.Call)
    )


def _goes_on(context: TreeContext, loop: Loop) -> bool:
    """Whether another loop is around it, so that the next connection is served in the same task."""
    return any(isinstance(outer, _LOOPS) for outer, _ in within(context, loop))
