"""Where a function stores values that outlive it: attributes, collections, keys.

task = create_task(work())
self._tasks.add(task)               # `task` is put away, and
self._infos[task] = Info()          # so is a key of what is kept.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.types import ClassObject
from logctx_lint.inference.use_def import Scope
from logctx_lint.syntax.ast_walk import all_nodes, assignments, call_arguments

if TYPE_CHECKING:
    from logctx_lint.inference.summaries import Summaries

_OUTER = frozenset({"global", "nonlocal"})


class PlacesOutside:
    """What one function puts where it outlives the call."""

    def __init__(self, summaries: Summaries, scope: Scope, nodes: list[ast.AST]) -> None:
        self._summaries = summaries
        self._scope = scope
        self._nodes = nodes

    @cached_property
    def made_here(self) -> set[str]:
        """The names of objects that the function makes."""
        return set(self._named_constructions())

    @cached_property
    def assigned(self) -> set[str]:
        """The texts of what an attribute or an element is set to, and of these places."""
        return set(self._set_outside())

    @cached_property
    def put_away(self) -> set[str]:
        """The names of what is put into collections, or kept as a part of something."""
        return set(self._put_into_containers())

    def _set_outside(self) -> Iterator[str]:
        for node in self._nodes:
            match node:
                case ast.Assign(targets, value) if any(
                    isinstance(target, ast.Attribute | ast.Subscript) for target in targets
                ):
                    yield from map(ast.unparse, [*targets, value])

    def _put_under(self, target: ast.expr, value: ast.expr) -> set[str]:
        """The names that are kept as a key, or inside of what is kept: `self.infos[task] = ...`,
        `self.infos[key] = Info(task)`."""
        match target:
            case ast.Subscript(holder, key) if self.is_outside(holder):
                parts = [key]
            case ast.Attribute() if self.is_outside(target):
                parts = []
            case _:
                return set()
        match value:
            case ast.Call():
                parts += call_arguments(value)
            case ast.Tuple(elements) | ast.List(elements) | ast.Set(elements):
                parts += elements
        return {each.id for each in parts if isinstance(each, ast.Name)}

    def _put_into_containers(self) -> Iterator[str]:
        for node in self._nodes:
            match node:
                case ast.Assign(targets, value):
                    for target in targets:
                        # A Deferred or Future that is made here is the caller's to wait for.
                        yield from self._put_under(target, value) - self.made_here
                case ast.Call(ast.Attribute() as method, arguments) if self.outlives(method):
                    for argument in arguments:
                        for inner in all_nodes(argument):
                            if isinstance(inner, ast.Name):
                                yield inner.id

    def _named_constructions(self) -> Iterator[str]:
        """The names of what is made here, for whoever calls to wait for."""
        for target, value in assignments(self._nodes):
            if isinstance(target, ast.Name) and isinstance(value, ast.Call):
                made = self._summaries.resolver.type_of(value.func, self._scope)
                if isinstance(made, ClassObject):
                    yield target.id

    def outlives(self, method: ast.Attribute) -> bool:
        """Whether a method is that of something that outlives the function, and is no logger."""
        is_log = Role.LOG_WRITER in self._summaries.roles(method, self._scope)
        return self.is_outside(method.value) and not is_log

    def is_outside(self, holder: ast.expr) -> bool:
        """Whether an object is found in another one, or not bound in this function."""
        return isinstance(holder, ast.Attribute | ast.Subscript) or (
            isinstance(holder, ast.Name)
            and all(each.kind in _OUTER for each in self._scope.bindings.get(holder.id, ()))
        )
