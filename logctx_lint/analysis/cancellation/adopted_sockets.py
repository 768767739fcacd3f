"""Sockets whose ownership passes to an asyncio transport, which closes them when it is cancelled.

transport, _ = await loop.create_datagram_endpoint(Protocol, sock=sock)

(`asyncio.selector_events`: `try: await waiter`, `except: transport.close(); raise`.)
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.context import TreeContext
from logctx_lint.inference.passed_arguments import passed
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import Suspension, body_nodes, is_name, last_name

_ADOPTERS = frozenset(
    {"connect_accepted_socket", "create_connection", "create_datagram_endpoint", "create_server",
     "create_unix_connection", "create_unix_server", "open_connection", "start_server"}
)  # fmt: skip


def is_adopted(context: TreeContext, attempt: ast.Try, name: str) -> bool:
    """Whether all that a `try` waits for takes over the socket of a name."""
    return all(
        isinstance(each, ast.Await)
        and isinstance(each.value, ast.Call)
        and (_adopts(each.value, {name}) or _is_handed_over(context, each.value, name))
        for each in body_nodes(attempt)
        if isinstance(each, Suspension)
    )


def _adopts(call: ast.Call, names: set[str]) -> bool:
    """`loop.create_server(..., sock=name)`"""
    if last_name(call.func) not in _ADOPTERS:
        return False
    given = [each.value for each in call.keywords if each.arg == "sock"]
    if last_name(call.func) == "connect_accepted_socket":
        given += call.args[1:2]
    return any(isinstance(each, ast.Name) and each.id in names for each in given)


def _is_handed_over(context: TreeContext, call: ast.Call, name: str) -> bool:
    """Whether all that the coroutine functions that are called wait for adopts the socket."""
    callees = context.functions(call.func)
    return bool(callees) and all(_adopts_in_the_end(context, e, call, name) for e in callees)


def _adopts_in_the_end(context: TreeContext, function: Function, call: ast.Call, name: str) -> bool:
    node = function.implementation.source_tree()
    if not isinstance(node, ast.AsyncFunctionDef):
        return False
    given = passed(context.resolver, call, function)
    inside = {own for own, value in given if is_name(value, name)}
    waits = [each for each in body_nodes(node) if isinstance(each, Suspension)]
    return bool(waits) and all(
        isinstance(each, ast.Await)
        and isinstance(each.value, ast.Call)
        and _adopts(each.value, inside)
        for each in waits
    )
