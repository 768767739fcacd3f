"""Sockets that a transport of asyncio takes over, and closes itself when that is cancelled.

transport, _ = await loop.create_datagram_endpoint(Protocol, sock=sock)

(`asyncio.selector_events`: `try: await waiter`, `except: transport.close(); raise`.)
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.context import TreeContext
from logctx_lint.project.facts import parameters_of
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import Suspension, last_name, own_nodes

_ADOPTERS = frozenset(
    {"connect_accepted_socket", "create_connection", "create_datagram_endpoint", "create_server",
     "create_unix_connection", "create_unix_server", "open_connection", "start_server"}
)  # fmt: skip


def is_adopted(context: TreeContext, attempt: ast.Try, name: str) -> bool:
    """Whether all that a `try` waits for takes over the socket of a name."""
    waits = [node for node in own_nodes(attempt.body) if isinstance(node, Suspension)]
    return all(isinstance(e, ast.Await) and _adopts(context, e.value, name) for e in waits)


def _adopts(context: TreeContext, awaited: ast.expr, name: str) -> bool:
    """`loop.create_server(..., sock=name)`, or a coroutine function that does it with `name`."""
    if not isinstance(awaited, ast.Call):
        return False
    if last_name(awaited.func) in _ADOPTERS:
        given = [each.value for each in awaited.keywords if each.arg == "sock"]
        if last_name(awaited.func) == "connect_accepted_socket":
            given += awaited.args[1:2]
        return any(isinstance(each, ast.Name) and each.id == name for each in given)
    callees = context.functions(awaited.func)
    return bool(callees) and all(_hands_over(context, each, awaited, name) for each in callees)


def _hands_over(context: TreeContext, function: Function, call: ast.Call, name: str) -> bool:
    """Whether all that a coroutine function waits for adopts the socket that is passed to it."""
    node = None if function.module.is_stub else function.implementation.tree()
    if not isinstance(node, ast.AsyncFunctionDef):
        return False
    names = [parameter.arg for parameter, _, _ in parameters_of(node.args)]
    bound = names[1:] if context.resolver.bindings.first_parameter(function) else names
    passed = {*zip(bound, call.args, strict=False)}
    passed |= {(each.arg or "", each.value) for each in call.keywords}
    inside = {own for own, value in passed if isinstance(value, ast.Name) and value.id == name}
    waits = [each for each in own_nodes(node.body) if isinstance(each, Suspension)]
    return bool(waits) and all(
        isinstance(wait, ast.Await)
        and isinstance(wait.value, ast.Call)
        and last_name(wait.value.func) in _ADOPTERS
        and any(
            each.arg == "sock" and isinstance(each.value, ast.Name) and each.value.id in inside
            for each in wait.value.keywords
        )
        for wait in waits
    )
