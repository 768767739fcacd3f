"""Classes whose methods are replaced when they are made, by a decorator or a metaclass.

    def blocking(cls):
        for name, method in list(vars(cls).items()):
            if inspect.iscoroutinefunction(method):
                setattr(cls, name, run_in_loop(method))
        return cls

What a method of `@blocking class Client` returns, its `def` no longer says. So it is where a
metaclass does this, or the `__init_subclass__` of a base class.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from logctx_lint.incremental.memo import Store
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.class_members import class_scope
from logctx_lint.inference.types import ClassObject, FunctionType
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Class, Function
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, last_name

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver

_MAKE_CLASSES = ("__new__", "__init__")
"""The methods of a metaclass that see the class that is made."""
_MEMBERS = frozenset({"vars", "dir", "__dict__", "getmembers"})
"""What lists the members of a class."""


class ReplacedMethods:
    """Answers for which classes that is so; part of the resolver."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._known: Store[bool] = {}
        self._replacing: Store[bool] = {}

    def of(self, cls: Class) -> bool:
        """May what made the class have replaced its methods?"""
        if cls.module.is_stub:
            return False
        return self._resolver.memo.get(
            self._known, cls, lambda: any(map(self._replaces, self._makers(cls))), False
        )

    def _makers(self, cls: Class) -> Iterator[Function]:
        """The functions of source at hand that the new class goes through."""
        type_of = self._resolver.type_of
        for text in cls.facts.decorators:
            node = parse_expression(text)
            if node is not None:
                decorator = node.func if isinstance(node, ast.Call) else node
                made = type_of(decorator, class_scope(cls))
                if isinstance(made, FunctionType):
                    yield made.function
        for ancestor, _ in self._resolver.classes.ancestors(cls):
            if ancestor != cls:
                yield from ancestor.function("__init_subclass__")
            metaclass = parse_expression(ancestor.facts.metaclass)
            if metaclass is not None:
                made = type_of(metaclass, class_scope(ancestor))
                if isinstance(made, ClassObject):
                    for name in _MAKE_CLASSES:
                        yield from self._resolver.classes.functions(made.cls, name)

    def _replaces(self, maker: Function) -> bool:
        if maker.module.is_stub:
            return False
        return self._resolver.memo.get(
            self._replacing, maker, lambda: _puts_members_anew(maker.tree()), False
        )


def _puts_members_anew(node: FunctionNode | None) -> bool:
    """Does a function set attributes, or entries of what it makes a class of, one for each member?

    `setattr(cls, option, value)` of what a class is declared with replaces no method.
    """
    if node is None:
        return False
    namespaces = {
        argument.id
        for call in all_nodes(node, ast.Call)
        if last_name(call.func) in ("__new__", "type")
        for argument in call.args[1:]
        if isinstance(argument, ast.Name)
    }
    return any(
        _sets(inner, names, namespaces)
        for loop in all_nodes(node, ast.For)
        if (names := _member_names(loop, namespaces))
        for inner in body_nodes(loop)
    )


def _member_names(loop: ast.For, namespaces: set[str]) -> set[str]:
    """The variables of a loop over the members of a class, or over the names of some."""
    names = {each.id for each in all_nodes(loop.target, ast.Name)}
    is_over_members = any(
        last_name(each) in _MEMBERS or (isinstance(each, ast.Name) and each.id in namespaces)
        for each in all_nodes(loop.iter)
    )
    are_looked_up = any(
        last_name(each.func) == "getattr"
        and len(each.args) > 1
        and isinstance(each.args[1], ast.Name)
        and each.args[1].id in names
        for each in body_nodes(loop, ast.Call)
    )
    return names if is_over_members or are_looked_up else set()


def _sets(node: ast.AST, names: set[str], namespaces: set[str]) -> bool:
    match node:
        case ast.Call(func, [*_, ast.Name(name), _]):
            return last_name(func) in ("setattr", "__setattr__") and name in names
        case ast.Subscript(ast.Name(namespace), ast.Name(name), ast.Store()):
            return namespace in namespaces and name in names
    return False
