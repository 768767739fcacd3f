"""Which errors come out of some code: what is raised in it, and taken by no handler there.

try:
    raise ValueError(text)
except ValueError:              # Takes it: nothing comes out, nor does it of `with suppress(...)`.
    ...
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.class_members import class_scope
from logctx_lint.inference.definitions import Variable
from logctx_lint.inference.types import (
    ClassObject,
    External,
    ExternalInstance,
    Instance,
    Type,
    members_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import child_nodes

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver

_EVERY_ERROR = frozenset({"builtins.Exception", "builtins.BaseException"})
_ROOT = "builtins.BaseException"
_LONGEST_ALIAS = 4
"""How many names may stand for one another."""


def takes_every_error(resolver: Resolver, clause: ast.expr | None, scope: Scope) -> bool:
    """Whether an `except` clause takes whatever fails: a bare one (None), or of `Exception`.

    That it is `Exception` does not say that cancellations are taken: `analysis/exception_handlers`.
    """
    return clause is None or any(
        not _EVERY_ERROR.isdisjoint(names) for names in exception_names(resolver, clause, scope)
    )


def exception_names(
    resolver: Resolver, node: ast.expr, scope: Scope, depth: int = _LONGEST_ALIAS
) -> Iterator[tuple[str, ...]]:
    """The names of each exception class in a clause, those behind aliases included.

    A variable that is only *declared* as `Type[Exception]` holds some class that is narrower.
    """
    match node:
        case ast.Tuple(elements):
            for element in elements:
                yield from exception_names(resolver, element, scope, depth)
        case ast.Starred(value):
            yield from exception_names(resolver, value, scope, depth)
        case ast.BinOp(left, ast.Add() | ast.BitOr(), right):
            # A sum of tuples, or `isinstance(error, A | B)`.
            yield from exception_names(resolver, left, scope, depth)
            yield from exception_names(resolver, right, scope, depth)
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
                    yield from exception_names(resolver, value, where, depth - 1)


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
        for binding in scope.reaching_name(node):
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


@dataclass(frozen=True, slots=True)
class Guarded:
    """A node, and the handlers of its code that get what it raises."""

    node: ast.AST
    around: tuple[tuple[ast.ExceptHandler, ...], ...]
    """Those of each `try` whose body it stands in, the innermost first."""
    handling: ast.ExceptHandler | None
    """The innermost handler that it stands in."""


def guarded(body: Iterable[ast.AST], handling: ast.ExceptHandler | None = None) -> list[Guarded]:
    """All nodes of some code, not those of nested functions, lambdas and classes."""
    found = [Guarded(each, (), handling) for each in body]
    for each in found:
        node = each.node
        if isinstance(node, FunctionNode | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(node, ast.ExceptHandler):
            found += [Guarded(inner, each.around, node) for inner in node.body]
            continue
        if isinstance(node, ast.With) and (suppressed := list(suppressing(node))):
            around = (tuple(suppressed), *each.around)
            found += [Guarded(inner, around, each.handling) for inner in node.body]
            continue
        handlers: list[ast.ExceptHandler] = getattr(node, "handlers", [])
        if not handlers:
            found += [Guarded(inner, each.around, each.handling) for inner in child_nodes(node)]
            continue
        around = (tuple(handlers), *each.around)
        found += [Guarded(inner, around, each.handling) for inner in node.body]  # type: ignore[attr-defined]
        for block in (handlers, node.orelse, node.finalbody):  # type: ignore[attr-defined]
            found += [Guarded(inner, each.around, each.handling) for inner in block]
    return found


def suppressing(node: ast.With) -> Iterator[ast.ExceptHandler]:
    """The handlers that `with suppress(A, B):` stands for."""
    for item in node.items:
        match item.context_expr:
            case ast.Call(ast.Name("suppress") | ast.Attribute(_, "suppress"), classes, []):
                yield ast.ExceptHandler(ast.Tuple(classes, ast.Load()), None, [ast.Pass()])


Error = tuple[frozenset[str], ...]
"""The classes that what is raised may be of, each as its own name and those of all above it."""


@dataclass(frozen=True, slots=True)
class RaisedErrors:
    """Reads the errors of some code, in the scope of which its names are."""

    resolver: Resolver
    scope: Scope

    def coming_out(
        self, body: Iterable[ast.AST], handling: ast.ExceptHandler | None = None
    ) -> Iterator[tuple[ast.Raise, Error]]:
        """The `raise` statements whose error no handler of the code takes, and which it is.

        `handling`: the handler that the code is the body of.
        """
        for each in guarded(body, handling):
            if isinstance(each.node, ast.Raise):
                error = self.raised(each.node, each.handling)
                if not self.is_taken(error, each.around):
                    yield each.node, error

    def takes_all(self, handler: ast.ExceptHandler) -> bool:
        """Whether a handler takes every error, and raises none itself."""
        return takes_every_error(self.resolver, handler.type, self.scope) and not any(
            self.coming_out(handler.body, handler)
        )

    def is_taken(self, error: Error, around: tuple[tuple[ast.ExceptHandler, ...], ...]) -> bool:
        """Whether one of some handlers takes an error, whichever of its classes it is of."""
        return all(
            any(self._takes(handler, names) for handlers in around for handler in handlers)
            for names in error
        )

    def raised(self, statement: ast.Raise, handling: ast.ExceptHandler | None) -> Error:
        """What a statement raises; within a handler, perhaps what that has caught."""
        if statement.exc is not None:
            return self._classes(self.resolver.type_of(statement.exc, self.scope))
        clause = handling.type if handling else None
        if clause is None:
            return (frozenset(),)
        parts = clause.elts if isinstance(clause, ast.Tuple) else [clause]
        types = (self.resolver.type_of(each, self.scope) for each in parts)
        return tuple(names for type_ in types for names in self._classes(type_))

    def _classes(self, type_: Type) -> Error:
        return tuple(map(self._names, members_of(type_)))

    def _names(self, member: Type) -> frozenset[str]:
        """The names of a class and of all above it; none where it is not known."""
        match member:
            case Instance(cls) | ClassObject(cls):
                return frozenset(self.resolver.classes.names(cls))
            case External(name) | ExternalInstance(name):
                return frozenset({name})
        return frozenset()

    def _takes(self, handler: ast.ExceptHandler, names: frozenset[str]) -> bool:
        if handler.type is None:
            return True
        if _ROOT not in names and takes_every_error(self.resolver, handler.type, self.scope):
            return True  # Whatever else it is, it is an error.
        return any(
            not names.isdisjoint(each)
            for each in exception_names(self.resolver, handler.type, self.scope)
        )
