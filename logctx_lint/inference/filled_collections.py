"""The element types of an attribute that begins empty, from what the methods of its class add.

def __init__(self):                     def add(self, socket):
    self.clients = []                       self.clients.append(Client(socket))

Only where all of that is made there by calls of classes of the project: what is awaited or shared
is found by other means.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from logctx_lint.inference.known_names import APPENDERS
from logctx_lint.inference.types import UNKNOWN, Certainty, ClassObject, Instance, Type, union_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.modules import Class, Function
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    call_arguments,
    own_attribute,
    parents_of,
)

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver

_EMPTY = {
    "[]": "list", "list()": "list", "{}": "dict", "dict()": "dict", "OrderedDict()": "dict",
    "collections.OrderedDict()": "dict", "set()": "set",
}  # fmt: skip
"""What is empty, and what the collection is then."""
_READING = frozenset(
    {"append", "appendleft", "add", "insert", "setdefault", "get", "pop", "popleft", "popitem",
     "remove", "discard", "clear", "values", "items", "keys", "copy", "index", "count", "sort",
     "reverse"}
)  # fmt: skip
"""Methods that put nothing in, or of which it is known what they put in."""
_READERS = frozenset(
    {"len", "list", "tuple", "set", "sorted", "iter", "enumerate", "any", "all", "bool", "reversed",
     "next", "dict", "isinstance", "print", "str", "repr", "zip", "max", "min"}
)  # fmt: skip


def filled(resolver: Resolver, cls: Class, name: str) -> Type:
    """The type of such an attribute; UNKNOWN where something of it is not known."""
    variables = cls.facts.variables[name]
    kinds = {_EMPTY.get(each.value.replace(" ", "")) for each in variables}
    kind = next(iter(kinds)) if len(kinds) == 1 else None
    if kind is None or any(each.annotation for each in variables):
        return UNKNOWN
    found: list[Type] = []
    for function in _methods(cls, name):
        node = function.tree()
        if node is None:
            return UNKNOWN
        scope = Scope.of_body(function, node)
        for value in _put(node, name):
            made = _made(resolver, value, scope) if value is not None else None
            if made is None:
                return UNKNOWN
            found.append(made)
    if not found:
        return UNKNOWN
    elements = union_of(found)
    if kind == "dict":
        return resolver.builtin("dict", UNKNOWN, elements)
    return resolver.builtin(kind, elements)


def _methods(cls: Class, name: str) -> Iterator[Function]:
    """The methods of a class that mention an attribute."""
    for method in cls.facts.functions:
        for function in cls.function(method):
            if f".{name}" in function.text():
                yield function


def _made(resolver: Resolver, value: ast.expr, scope: Scope) -> Type | None:
    """The object that a call of a class of the module makes: `Client(socket)`, or a local name.

    No more is looked at: what is put there may otherwise depend on what is there.
    """
    if isinstance(value, ast.Name):
        bindings = scope.reaching_name(value)
        if len(bindings) != 1 or bindings[0].kind != "value" or bindings[0].path:
            return None
        value = bindings[0].value or value
    match value:
        case ast.Call(ast.Name(name) as func) if name not in scope.bindings:
            cls = resolver.type_of(func, scope)
            if isinstance(cls, ClassObject) and not cls.cls.module.is_stub:
                made = Instance(cls.cls)
                if resolver.awaitability(made).certainty is Certainty.NO:
                    return made
    return None


def _put(method: ast.AST, name: str) -> Iterator[ast.expr | None]:
    """What a method puts into the attribute; None for what cannot be told."""
    parents = parents_of(method)
    for node in all_nodes(method):
        if own_attribute(node) != name:
            continue
        outer = parents.get(node)
        match outer, parents.get(outer) if outer else None:
            case ast.Attribute(_, method_name), ast.Call() as call if method_name in _READING:
                if method_name in APPENDERS or method_name in ("insert", "setdefault"):
                    yield call.args[-1] if call.args else None
            case ast.Subscript(ctx=ast.Store()), ast.Assign([target], value) if target is outer:
                yield value
            case ast.Call(ast.Name(reader)), _ if reader in _READERS:
                pass
            case ast.Attribute() | ast.Subscript(ctx=ast.Store()) | ast.AugAssign(), _:
                yield None
            case ast.Assign(_, value), _ if value is node:
                yield None  # Under another name.
            case (ast.Call() as call, _) if node in call_arguments(call):
                yield None
            case ast.keyword(), _:
                yield None
