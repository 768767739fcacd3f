"""Functions that store a callback, and check later whether it is asynchronous before they call it.

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

from logctx_lint.inference.known_names import ADDERS, KIND_TEST_NAMES
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, last_name, names_in

_KEEPERS = ADDERS | {"setdefault", "update"}


def is_told_apart(function: Function, name: str) -> bool:
    """Whether the kind of what a parameter holds is asked for where it is called."""
    node = function.source_tree()
    if node is None:
        return False
    if _asks(node, _held(node, {name})):
        return True
    kept = set(_places(node, name))
    if not kept:
        return False
    function.module.note_all()
    source = function.module.source
    if not any(map(source.mentions, KIND_TEST_NAMES)):
        return False
    return any(
        isinstance(each, FunctionNode) and _asks(each, _held(each, kept))
        for each in all_nodes(function.module.file.tree or source.parse())
    )


def _asks(node: ast.AST, held: set[str]) -> bool:
    """Whether code asks for the kind of something, by one of some names."""
    return any(
        last_name(each.func).strip("_") in KIND_TEST_NAMES
        and bool(each.args)
        and not held.isdisjoint(_mentioned(each.args[0]))
        for each in all_nodes(node, ast.Call)
    )


def _held(node: FunctionNode, names: set[str]) -> set[str]:
    """Some names, those that are bound to what they hold, and to what that gives."""
    held = set(names)
    # Twice, as loops and comprehensions bind what stands before them.
    for each in (*all_nodes(node), *all_nodes(node)):
        match each:
            case ast.Assign(targets, value) if not held.isdisjoint(_mentioned(value)):
                held.update(*map(names_in, targets))
            case (
                ast.For(target, source)
                | ast.AsyncFor(target, source)
                | ast.comprehension(target, source)
            ) if not held.isdisjoint(_mentioned(source)):
                held |= names_in(target)
            case ast.NamedExpr(ast.Name(name), value) if not held.isdisjoint(_mentioned(value)):
                held.add(name)
    return held


def _places(node: FunctionNode, name: str) -> Iterator[str]:
    """The attributes and outer names that keep a parameter, or a display with it."""
    held = _held(node, {name})
    for each in body_nodes(node):
        match each:
            case ast.Assign([ast.Subscript(target) | (ast.Attribute() as target)], value):
                if held & _mentioned(value):
                    yield last_name(target)
            case ast.Call(ast.Attribute(receiver, method), given) if method in _KEEPERS:
                if any(held & _mentioned(value) for value in given):
                    yield last_name(receiver)


def _mentioned(node: ast.AST) -> set[str]:
    """The names and attributes in a piece of code."""
    return {
        last_name(each) for each in all_nodes(node) if isinstance(each, ast.Name | ast.Attribute)
    }
