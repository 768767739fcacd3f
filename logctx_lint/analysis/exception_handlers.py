"""Which cancellations an `except` clause catches, and which exceptions are cancellations."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Flag

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.units import File
from logctx_lint.config.role_lookup import Vocabulary
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.class_members import class_scope
from logctx_lint.inference.definitions import Variable
from logctx_lint.inference.resolver import Resolver
from logctx_lint.inference.types import ClassObject, External, Instance, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.syntax.ast_walk import own_nodes


class Cancellation(Flag):
    """Whose cancellation can come out of an await."""

    NONE = 0
    TWISTED = 1
    ASYNCIO = 2
    TRIO = 4


_ASYNCIO_NAMES = frozenset({"asyncio.exceptions.CancelledError", "asyncio.CancelledError"})
_LONGEST_ALIAS = 4
"""How many names may stand for one another."""


@dataclass(frozen=True, slots=True)
class Caught:
    """Which cancellations an `except` clause catches, and whether it says so by name."""

    cancellation: Cancellation
    by_name: bool
    named: Cancellation = Cancellation.NONE
    """Those whose error it names, as opposed to a class above that."""


_ABOUT_ITS_KIND = frozenset({"isinstance", "type", "str", "repr", "bool", "len", "hasattr"})
"""What says the same of every cancellation."""
_ANY = Cancellation.TWISTED | Cancellation.ASYNCIO | Cancellation.TRIO
_ANYIO = Cancellation.ASYNCIO | Cancellation.TRIO
BARE = Caught(_ANY, False)


def caught_by(context: TreeContext, clause: ast.expr | None) -> Caught:
    """What an `except` clause (None: a bare one), or an argument of `suppress`, catches."""
    if clause is None:
        return BARE
    return caught(context.resolver, context.file.vocabulary, clause, context.scopes[clause])


def caught(resolver: Resolver, vocabulary: Vocabulary, clause: ast.expr, scope: Scope) -> Caught:
    """The same of a clause that is there."""
    cancellation = named = Cancellation.NONE
    for names in _exception_names(resolver, clause, scope, _LONGEST_ALIAS):
        if Role.CANCELLED_ERROR in vocabulary.roles(names):
            named |= _meant(names)
        elif "builtins.BaseException" in names:
            cancellation |= _ANY
        elif "builtins.Exception" in names:
            cancellation |= Cancellation.TWISTED
    return Caught(cancellation | named, bool(named), named)


def catches_asyncio(file: File, handler: ast.ExceptHandler, scope: Scope) -> bool:
    """Whether asyncio's cancellation comes to a handler that is read in a scope."""
    if handler.type is None:
        return True
    found = caught(file.resolver, file.vocabulary, handler.type, scope)
    return Cancellation.ASYNCIO in found.cancellation


def _meant(names: tuple[str, ...]) -> Cancellation:
    """Whose cancelled error a class, or the function that gives it, is."""
    roots = {name.partition(".")[0] for name in names}
    if "anyio" in roots:
        return _ANYIO
    if "trio" in roots:
        return Cancellation.TRIO
    return Cancellation.ASYNCIO if _ASYNCIO_NAMES & set(names) else Cancellation.TWISTED


def is_cancelled(
    resolver: Resolver, vocabulary: Vocabulary, raised: ast.expr, scope: Scope
) -> bool:
    """Whether what is raised is a cancelled error, or of a class derived from one."""
    named = raised.func if isinstance(raised, ast.Call) else raised
    definition, names = resolver.define(named, scope)
    if Role.CANCELLED_ERROR in vocabulary.roles(names):
        return True
    return isinstance(definition, ClassObject) and any(
        Role.CANCELLED_ERROR in vocabulary.roles(resolver.classes.names(each))
        for each, _ in resolver.classes.ancestors(definition.cls)
    )


def _exception_names(
    resolver: Resolver, node: ast.expr, scope: Scope, depth: int
) -> Iterator[tuple[str, ...]]:
    """The names of each exception class in a clause, those behind aliases included.

    A variable that is only *declared* as `Type[Exception]` holds some class that is narrower.
    """
    match node:
        case ast.Tuple(elements):
            for element in elements:
                yield from _exception_names(resolver, element, scope, depth)
        case ast.Starred(value):
            yield from _exception_names(resolver, value, scope, depth)
        case ast.BinOp(left, ast.Add() | ast.BitOr(), right):
            # A sum of tuples, or `isinstance(error, A | B)`.
            yield from _exception_names(resolver, left, scope, depth)
            yield from _exception_names(resolver, right, scope, depth)
        case ast.Call(func, [], []):
            # `except anyio.get_cancelled_exc_class():`
            yield resolver.names(func, scope)
        case ast.Name() | ast.Attribute():
            definition, names = resolver.define(node, scope)
            is_class = (
                isinstance(definition, ClassObject) and definition.cls.qualified_name in names
            )
            if is_class or isinstance(definition, External):
                yield names
            elif depth:
                for value, where in _values(resolver, node, scope):
                    yield from _exception_names(resolver, value, where, depth - 1)


def _values(
    resolver: Resolver, node: ast.Name | ast.Attribute, scope: Scope
) -> Iterator[tuple[ast.expr, Scope]]:
    """What is assigned to a local name, a module variable or a class variable."""
    definition = resolver.define(node, scope)[0]
    if isinstance(definition, Variable):
        for item in definition.facts:
            value = parse_expression(item.value)
            if value is not None:
                yield value, Scope(definition.module)
    elif isinstance(node, ast.Name):
        for binding in scope.reaching(node.id, (node.lineno, node.col_offset)):
            if binding.kind == "value" and binding.value is not None and not binding.path:
                yield binding.value, scope
    else:
        for owner in members_of(resolver.type_of(node.value, scope)):
            if not isinstance(owner, Instance | ClassObject):
                continue
            for ancestor, _ in resolver.classes.ancestors(owner.cls):
                for item in ancestor.facts.variables.get(node.attr, ()):
                    value = None if item.method else parse_expression(item.value)
                    if value is not None:
                        yield value, class_scope(ancestor)


def is_chosen_by_call(handler: ast.ExceptHandler) -> bool:
    """Whether a function that is handed the exception decides what becomes of it.

    except BaseException as error:
        if not retry_on(error):   # Cancellations may be among those that it lets out.
            raise
    """
    return any(
        isinstance(each, ast.Call)
        and not (isinstance(each.func, ast.Name) and each.func.id in _ABOUT_ITS_KIND)
        and any(isinstance(given, ast.Name) and given.id == handler.name for given in each.args)
        for outer in own_nodes(handler.body)
        if isinstance(outer, ast.If)
        for each in own_nodes([outer.test])
    )
