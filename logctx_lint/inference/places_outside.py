"""Where a function stores values that outlive it: attributes, collections, keys.

task = create_task(work())
self._tasks.add(task)               # `task` is put away, and
self._infos[task] = Info()          # so is a key of what is kept.
tasks.add(task)                     # It is, too, in a collection that the caller has passed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import ADDERS
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
        if not self.is_outside(method.value):
            return method.attr in ADDERS and self._is_passed(method.value)
        return Role.LOG_WRITER not in self._summaries.roles(method, self._scope)

    def _is_passed(self, holder: ast.expr) -> bool:
        """Whether every caller passes a collection of its own: a parameter without a default."""
        bindings = self._scope.bindings.get(holder.id, ()) if isinstance(holder, ast.Name) else ()
        return bool(bindings) and all(
            each.kind == "parameter" and each.parameter in ("", "k", "self") and each.value is None
            for each in bindings
        )

    def keeps_itself(self) -> bool:
        """Whether the function, a coroutine, puts the task that it runs in where others find it."""
        current = [node for node in self._nodes if self._is_current_task(node)]
        named = {
            target.id
            for target, value in assignments(self._nodes)
            if isinstance(target, ast.Name) and value in current
        }
        if named & (self.assigned | self.put_away):
            return True
        return any(given in current for node in self._nodes for given in self._given_away(node))

    def _given_away(self, node: ast.AST) -> list[ast.expr]:
        """The values that a statement or call puts somewhere outside."""
        match node:
            case ast.Assign(targets, value) if any(map(self._is_kept_place, targets)):
                return [value]
            case ast.AnnAssign(target, _, ast.expr() as value) if self._is_kept_place(target):
                return [value]
            case ast.Call(ast.Attribute() as method, arguments) if self.outlives(method):
                return arguments
        return []

    def _is_kept_place(self, target: ast.expr) -> bool:
        return isinstance(target, ast.Attribute) or (
            isinstance(target, ast.Subscript) and self.is_outside(target.value)
        )

    def _is_current_task(self, node: ast.AST) -> bool:
        roles = self._summaries.roles
        return isinstance(node, ast.Call) and Role.CURRENT_TASK in roles(node.func, self._scope)

    def is_outside(self, holder: ast.expr) -> bool:
        """Whether an object is found in another one, or not bound in this function."""
        return isinstance(holder, ast.Attribute | ast.Subscript) or (
            isinstance(holder, ast.Name)
            and all(each.kind in _OUTER for each in self._scope.bindings.get(holder.id, ()))
        )
