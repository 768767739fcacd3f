"""What runs when a function is called: its own nodes, and those of first-party functions it calls.

It follows plain calls only. What a function hands over, to be called later or elsewhere, does not
run here; what it awaits runs here, too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.units import File
from logctx_lint.inference.types import (
    ClassObject,
    FunctionType,
    Instance,
    Type,
    members_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import body_nodes, own_nodes

_LONGEST_WAY = 3
"""How many calls deep the code of a function is followed."""


@dataclass(frozen=True, slots=True)
class Code:
    """The nodes of one function or lambda, without nested ones, and the scope they are read in."""

    nodes: tuple[ast.AST, ...]
    scope: Scope
    function: Function | None = None
    """None for a lambda."""


def code_of(function: Function) -> Code | None:
    """The code of a first-party function; None of a stub's."""
    function = function.implementation
    node = function.source_tree()
    if node is None:
        return None
    return Code(tuple(body_nodes(node)), Scope.of_body(function, node), function)


def outermost(scope: Scope) -> ast.AST | None:
    """The tree of the outermost function around a scope."""
    while scope.parent and scope.parent.node:
        scope = scope.parent
    return scope.node


def entered(file: File, node: ast.expr, scope: Scope) -> list[Code]:
    """The code that a call of the value of an expression enters, where that is known.

    `f`, `self.f`, `lambda: f(x)`, `partial(f, x)`; of a class, nothing.
    """
    if isinstance(node, ast.Lambda):
        return [Code(tuple(own_nodes([node.body])), scope.child(node))]
    if isinstance(node, ast.Call) and node.args and _is_partial(file, node, scope):
        return entered(file, node.args[0], scope)
    functions = _functions(file.resolver.type_of(node, scope))
    return [code for each in functions if (code := code_of(each))]


def reached(file: File, starts: list[Code], *, by_name: bool = False) -> Iterator[Code]:
    """Some code, and what it calls in turn, each function once, the nearest first.

    `by_name`: also where only the name of a method tells which one it is.
    """
    seen: set[Function] = set()
    for _ in range(_LONGEST_WAY + 1):
        following: list[Code] = []
        for code in starts:
            if code.function is not None:
                if code.function in seen:
                    continue
                seen.add(code.function)
            yield code
            following += _called(file, code, by_name=by_name)
        starts = following


def _called(file: File, code: Code, *, by_name: bool) -> Iterator[Code]:
    awaited = {node.value for node in code.nodes if isinstance(node, ast.Await)}
    for node in code.nodes:
        if isinstance(node, ast.Call):
            functions = _functions(file.resolver.type_of(node.func, code.scope))
            if by_name and not functions:
                functions = file.resolver.unique_methods.only(node.func, code.scope)
            # Of several that it may be, none is known to run.
            if len(functions) == 1 and _runs(functions[0], is_awaited=node in awaited):
                found = code_of(functions[0])
                if found:
                    yield found


def _runs(function: Function, *, is_awaited: bool) -> bool:
    """Whether the body of a function runs where it is called."""
    return not function.facts.is_generator and (is_awaited or not function.facts.is_async)


def _functions(type_: Type) -> list[Function]:
    found = []
    for each in members_of(type_):
        if isinstance(each, FunctionType):
            found.append(each.function)
        elif not isinstance(each, ClassObject | Instance):
            return []
    return found


def _is_partial(file: File, call: ast.Call, scope: Scope) -> bool:
    return "functools.partial" in file.resolver.names(call.func, scope)
