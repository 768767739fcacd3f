"""Where the code goes on to from a suspension point before which a cancellation was lost."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.cancellation.cancellation_state import Code
from logctx_lint.analysis.control_flow_graph import FlowNode, NodeKind
from logctx_lint.analysis.exception_handlers import is_cancelled
from logctx_lint.syntax.ast_walk import body_nodes, own_nodes


def is_on_the_way_out(code: Code, start: ast.AST | None, node: FlowNode, place: ast.AST) -> bool:
    """Whether a `finally` or `async with` around the start suspends as it is left."""
    for each in body_nodes(code.node):
        around: list[ast.AST] = []
        match each:
            case ast.Try() if place in own_nodes(each.finalbody):
                around = [*each.body, *each.handlers]
            case ast.AsyncWith() if node.kind is NodeKind.LEAVE and each is place:
                around = [*each.body]
        if any(inner is start for inner in own_nodes(around)):
            return True
    return False


def is_raised_in_the_end(code: Code, node: FlowNode) -> bool:
    """Whether every path from a node that does not fail ends with a cancelled error, a new one.

    except asyncio.CancelledError:
        log("stopped")
    await stop_all()
    raise asyncio.CancelledError
    """
    raised = False
    for each in following(node):
        if each.kind is NodeKind.END:
            return False
        if isinstance(each.code, ast.Raise):
            error = each.code.exc
            if error is None or not is_cancelled(
                code.file.resolver, code.file.vocabulary, error, code.scope
            ):
                return False
            raised = True
    return raised


def following(node: FlowNode) -> Iterator[FlowNode]:
    """All nodes that may run behind one, as long as nothing is raised."""
    seen: set[FlowNode] = set()
    waiting = [node]
    while waiting:
        for each, _ in waiting.pop().next:
            if each not in seen:
                seen.add(each)
                waiting.append(each)
                yield each
