"""Functions that are kept by whoever takes them, and called by code that looks which kind they are.

def subscribe(self, callback: Callable[[Event], None]) -> None:
    self._listeners.append((callback, "all"))

def publish(self, event) -> None:
    for listener, filter in self._listeners:
        if iscoroutinefunction(listener):
            ...
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.inference.known_names import FUNCTION_TEST_NAMES, VALUE_TEST_NAMES
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import all_nodes, last_name, own_nodes

_TESTS = FUNCTION_TEST_NAMES | VALUE_TEST_NAMES


def is_told_apart(function: Function, name: str) -> bool:
    """Whether the kind of what a parameter holds is asked for where it is called."""
    node = None if function.module.is_stub else function.tree()
    if node is None:
        return False
    if _asks(node):
        return True
    kept = set(_places(node, name))
    return bool(kept) and any(
        isinstance(each, FunctionNode) and _asks(each) and not kept.isdisjoint(_mentioned(each))
        for each in all_nodes(function.module.source.parse())
    )


def _asks(node: ast.AST) -> bool:
    return any(
        isinstance(each, ast.Call) and last_name(each.func).strip("_") in _TESTS
        for each in all_nodes(node)
    )


def _places(node: FunctionNode, name: str) -> Iterator[str]:
    """The attributes and outer names that keep a parameter, or a display with it."""
    nodes = list(own_nodes(node.body))
    holders = {name}
    for each in nodes:
        match each:
            case ast.Assign([ast.Name(holder)], value) if name in _mentioned(value):
                holders.add(holder)
    for each in nodes:
        match each:
            case ast.Assign([ast.Subscript(target) | (ast.Attribute() as target)], value):
                if holders & _mentioned(value):
                    yield last_name(target)
            case ast.Call(ast.Attribute(receiver), given) if any(
                holders & _mentioned(value) for value in given
            ):
                yield last_name(receiver)


def _mentioned(node: ast.AST) -> set[str]:
    """The names and attributes in a piece of code."""
    return {
        last_name(each) for each in all_nodes(node) if isinstance(each, ast.Name | ast.Attribute)
    }
