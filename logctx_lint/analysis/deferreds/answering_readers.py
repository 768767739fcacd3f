"""Loops that read replies from a connection and complete the Futures that wait for them.

async for message in self.socket:           # Ends, or fails, with the connection.
    self.calls.pop(message["id"]).set_result(message)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from logctx_lint.analysis.deferreds.completions import is_own
from logctx_lint.inference.known_names import COMPLETERS
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, own_nodes

_READING = frozenset(
    {"read", "readline", "readexactly", "readuntil", "receive", "receive_bytes", "receive_json",
     "receive_str", "receive_text", "recv", "recv_multipart", "sock_recv"}
)  # fmt: skip


def is_answered_by_reader(methods: Mapping[str, list[ast.AST]], attribute: str) -> bool:
    """Whether the loop of a method that reads from a connection completes what an attribute keeps,
    by another method perhaps. `methods`: those of the class, by name."""
    functions = (each for trees in methods.values() for each in trees)
    return any(
        _reads(loop) and any(_completes(each, attribute) for each in _with_methods(loop, methods))
        for method in functions
        if isinstance(method, ast.AsyncFunctionDef)
        for loop in body_nodes(method)
    )


def _reads(loop: ast.AST) -> bool:
    match loop:
        case ast.AsyncFor(iter=ast.Attribute() as source):
            return is_own(source)
        case ast.While(_, body):
            return any(_awaits_reading(each) for each in own_nodes(body))
    return False


def _awaits_reading(node: ast.AST) -> bool:
    match node:
        case ast.Await(ast.Call(ast.Attribute(source, name))):
            return name in _READING and is_own(source)
    return False


def _with_methods(loop: ast.AST, methods: Mapping[str, list[ast.AST]]) -> Iterator[ast.AST]:
    """A loop, and the methods of the object that it calls."""
    yield loop
    for node in own_nodes([loop]):
        match node:
            case ast.Call(ast.Attribute(ast.Name("self"), name)):
                yield from methods.get(name, ())


def _completes(tree: ast.AST, attribute: str) -> bool:
    """Whether some code takes something from an attribute, and completes what it has taken."""
    nodes = list(all_nodes(tree))
    return any(
        isinstance(each, ast.Attribute) and each.attr == attribute and is_own(each)
        for each in nodes
    ) and any(isinstance(each, ast.Attribute) and each.attr in COMPLETERS for each in nodes)
