"""Whether code looks at how a stored task has ended: its result, its exception."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from logctx_lint.analysis.context import TreeContext, arguments
from logctx_lint.analysis.kept_places import local_values, places_from
from logctx_lint.analysis.own_class import class_node, own_methods
from logctx_lint.analysis.units import File
from logctx_lint.inference.known_names import APPENDERS
from logctx_lint.inference.types import callees_of
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    last_name,
    mentions_attribute,
    parents_of,
)

_LOOKS = frozenset({"exception", "result", "add_done_callback"})
_WAITERS = frozenset({"gather", "wait", "as_completed", "wait_for", "shield"})
_COPIES = frozenset({"len", "list", "tuple", "set", "bool"})
_STATES = frozenset({"cancel", "done", "cancelled", "get_name", "set_name", "cancelling"})
"""Methods of a task that say nothing of its failure."""


def is_looked_at(context: TreeContext, attribute: str) -> bool:
    """Whether code of the file awaits, hands on or asks what `self.ATTRIBUTE` is, but for where it
    has been cancelled before."""
    cls = class_node(context)
    own = set(all_nodes(cls)) if cls else set()
    return any(use not in own for use in _uses(context.file.tree, attribute)) or any(
        _looks(method, attribute) for method in own_methods(context)
    )


def are_all_kept(file: File) -> bool:
    """Whether the package has a task factory of its own that keeps every task.

    loop.set_task_factory(factory)        # def factory(loop, coro): ...; tasks.add(task)
    """
    resolver = file.resolver
    return any(
        _keeps_one(each.function.source_tree())
        for call, scope in resolver.references.calls("set_task_factory", file.module)
        for given in call.args
        for each in callees_of(resolver.type_of(given, scope))
    )


def _keeps_one(factory: FunctionNode | None) -> bool:
    """Whether a function puts something into a collection that outlives it."""
    return factory is not None and any(
        isinstance(each.func, ast.Attribute)
        and isinstance(each.func.value, ast.Attribute | ast.Name)
        and each.func.attr in APPENDERS
        and isinstance(each.args[0] if each.args else None, ast.Name)
        for each in all_nodes(factory, ast.Call)
    )


def is_any_looked_at(context: TreeContext, collection: ast.expr) -> bool:
    """Whether code of the file that has to do with a collection of tasks looks how one has ended,
    awaits something that may be one, or hands the collection on."""
    name = last_name(collection)
    return any(
        _looks_at_one(function, name)
        for function in all_nodes(context.file.tree)
        if isinstance(function, FunctionNode) and _is_mentioned(all_nodes(function), name)
    )


def _looks_at_one(function: FunctionNode, name: str) -> bool:
    """The same of one function. What surely comes from another attribute is none of them."""
    values = local_values(function)

    def may_be_one(node: ast.expr) -> bool:
        found = list(places_from(node, values))
        is_known = any(isinstance(each, ast.Attribute) for each in found)
        return not is_known or any(last_name(each) == name for each in found)

    for node in all_nodes(function):
        match node:
            case ast.Attribute(task, look) if look in _LOOKS and may_be_one(task):
                return True
            case ast.Await(task) if not isinstance(task, ast.Call) and may_be_one(task):
                return True
            case ast.Call(func) if last_name(func) in _WAITERS:
                if _is_mentioned(all_nodes(node), name):
                    return True
            case ast.Call(func) if last_name(func) not in _COPIES:
                if _is_mentioned(arguments(node), name):
                    return True
            case ast.Return(ast.expr() as given) if _is_mentioned([given], name):
                return True
    return False


def _is_mentioned(nodes: Iterable[ast.AST], name: str) -> bool:
    return any(isinstance(e, ast.Attribute | ast.Name) and last_name(e) == name for e in nodes)


def sets_itself(function: Function, attribute: str) -> bool:
    """Whether what runs in a task has itself forgotten in the end: `self._task = None`."""
    node = function.implementation.tree()
    uses = _uses(node, attribute) if node else []
    return any(not isinstance(each.ctx, ast.Load) for each in uses)


def _uses(node: ast.AST, attribute: str) -> list[ast.Attribute]:
    return [e for e in all_nodes(node, ast.Attribute) if e.attr == attribute]


def _looks(method: FunctionNode, attribute: str) -> bool:
    uses = _uses(method, attribute)
    parents = parents_of(method)
    is_ended = mentions_attribute(method, "cancel")
    return not all(_is_mere_use(each, parents.get(each), is_ended=is_ended) for each in uses)


def _is_mere_use(place: ast.Attribute, parent: ast.AST | None, *, is_ended: bool) -> bool:
    """Whether a task is only set, or asked for its state, or waited for as it is cancelled."""
    match parent:
        case ast.Await():
            return False  # At the latest its end is seen by who stops it.
        case ast.Attribute(_, name):
            return name in _STATES
        case ast.Compare() | ast.If() | ast.BoolOp() | ast.UnaryOp() | ast.While():
            return True
    return is_ended or not isinstance(place.ctx, ast.Load)
