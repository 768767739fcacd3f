"""From the text of an annotation to a type."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from logctx_lint.inference.definitions import Variable
from logctx_lint.inference.types import (
    FOREIGN,
    NONE,
    UNKNOWN,
    CallableType,
    ClassObject,
    External,
    ExternalInstance,
    Instance,
    TupleType,
    Type,
    TypeVariable,
    members_of,
    union_of,
    with_options,
)
from logctx_lint.project.facts import OPAQUE

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver
    from logctx_lint.inference.use_def import Scope

_TYPING = ("typing.", "typing_extensions.", "collections.abc.")
_WRAPPERS = {"ClassVar", "Final", "Annotated", "Required", "NotRequired", "ReadOnly"}
_GENERIC_BASES = {"Generic", "Protocol"}
_PLAIN_BASES = {"Generic", "Protocol", "NamedTuple", "TypedDict"}


@lru_cache(maxsize=1024)
def parse_expression(text: str) -> ast.expr | None:
    """The tree of an expression that facts keep as text; None if it is not one."""
    if not text or text == OPAQUE:
        return None
    try:
        # In parentheses, it may span lines.
        return ast.parse(f"({text}\n)", mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        return None


def special_form(names: tuple[str, ...]) -> str:
    """The name of a typing construct (`Union`, `cast`, ...), empty if it is none."""
    for name in names:
        if name.startswith(_TYPING):
            return next(name[len(each) :] for each in _TYPING if name.startswith(each))
    return ""


def evaluate(resolver: Resolver, node: ast.expr | None, scope: Scope) -> Type:
    """The type that the annotation `node` means in `scope`."""
    match node:
        case ast.Constant(None):
            return NONE
        case ast.Constant(str(text)):
            return evaluate(resolver, parse_expression(text), scope)
        case ast.BinOp(left, ast.BitOr(), right):
            return _union(resolver, (left, right), scope)
        case ast.Subscript(value, index):
            return _subscript(resolver, value, index, scope)
        case ast.Name() | ast.Attribute():
            return _name(resolver, node, scope)
    return UNKNOWN


def _name(resolver: Resolver, node: ast.expr, scope: Scope) -> Type:
    if isinstance(node, ast.Name):
        variable = _own_type_parameter(node.id, scope)
        if variable:
            return variable
    definition, names = resolver.define(node, scope)
    form = special_form(names)
    if form in ("Any", "NoReturn", "Never"):
        return FOREIGN if scope.module.is_partial else UNKNOWN
    if form == "Self":
        owner = scope.enclosing_class
        return resolver.classes.self_variable(owner) if owner else UNKNOWN
    if form == "Callable":
        return CallableType(UNKNOWN)
    if form in _PLAIN_BASES:
        return resolver.builtin("object")
    match definition:
        case Variable():
            return resolver.alias(definition)
        case ClassObject(cls, arguments):
            return Instance(cls, arguments)
        case External(name):
            return ExternalInstance(name)
    return UNKNOWN


def _union(resolver: Resolver, sides: Iterable[ast.expr], scope: Scope) -> Type:
    """`Callable[[], Any] | Callable[[], Awaitable[T]]` says that a call may give no awaitable."""
    found = with_options(union_of(_alternative(resolver, side, scope) for side in sides), UNKNOWN)
    results = {each.returns for each in members_of(found) if isinstance(each, CallableType)}
    if len(results) < 2:
        return found
    plain = resolver.builtin("object")
    return union_of(
        CallableType(plain, each.parameters)
        if isinstance(each, CallableType) and each.returns == UNKNOWN
        else each
        for each in members_of(found)
    )


def _alternative(resolver: Resolver, node: ast.expr, scope: Scope) -> Type:
    """One side of a union. `X | Any` says that it may be something else than X."""
    is_name = isinstance(node, ast.Name | ast.Attribute)
    if is_name and special_form(resolver.names(node, scope)) == "Any":
        return resolver.builtin("object")
    return evaluate(resolver, node, scope)


def _own_type_parameter(name: str, scope: Scope) -> Type | None:
    """A type parameter in the new syntax: `def f[T](...)`, `class C[T]`."""
    inner: Scope | None = scope
    while inner:
        if inner.function and name in inner.function.facts.type_parameters:
            return TypeVariable(f"{inner.function.qualified_name}.{name}")
        if inner.owner and name in inner.owner.facts.type_parameters:
            return TypeVariable(f"{inner.owner.qualified_name}.{name}")
        inner = inner.parent
    return None


def _subscript(resolver: Resolver, value: ast.expr, index: ast.expr, scope: Scope) -> Type:
    definition, names = resolver.define(value, scope)
    items = list(index.elts) if isinstance(index, ast.Tuple) else [index]
    form = special_form(names)
    if form == "Type" or "builtins.type" in names:
        inner = evaluate(resolver, index, scope)
        if isinstance(inner, Instance):
            return ClassObject(inner.cls, inner.arguments)
        return CallableType(inner)
    if form == "Tuple" or "builtins.tuple" in names:
        return _tuple(resolver, items, scope)
    if form == "Optional":
        return union_of([evaluate(resolver, index, scope), NONE])
    known = _of_form(resolver, form, items, scope) if form else None
    if known is not None:
        return known
    arguments = tuple(
        UNKNOWN if isinstance(item, ast.List) else evaluate(resolver, item, scope) for item in items
    )
    match definition:
        case Variable():
            return resolver.alias(definition, arguments)
        case ClassObject(cls, _):
            return Instance(cls, arguments)
        case External(name):
            return ExternalInstance(name)
    return UNKNOWN


def _tuple(resolver: Resolver, items: list[ast.expr], scope: Scope) -> Type:
    match items:
        case [element, ast.Constant(value)] if value is Ellipsis:
            return resolver.builtin("tuple", evaluate(resolver, element, scope))
    return TupleType(tuple(evaluate(resolver, item, scope) for item in items))


def _of_form(resolver: Resolver, form: str, items: list[ast.expr], scope: Scope) -> Type | None:
    """What a construct of `typing` says; None for one that says no more than its class."""
    if form == "Union":
        return _union(resolver, items, scope)
    if form in _WRAPPERS:
        return evaluate(resolver, items[0], scope)
    if form == "Callable":
        parameters = items[0].elts if isinstance(items[0], ast.List) else []
        return CallableType(
            evaluate(resolver, items[-1], scope),
            tuple(evaluate(resolver, item, scope) for item in parameters),
        )
    if form in ("Concatenate", "Literal"):
        return UNKNOWN
    if form in _GENERIC_BASES:
        # As a base class: declares the class's type parameters.
        return TupleType(tuple(evaluate(resolver, item, scope) for item in items))
    return None
