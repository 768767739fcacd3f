"""Whether somebody looks at how a task has ended that an object keeps."""

from __future__ import annotations

import ast

from logctx_lint.analysis.context import TreeContext, arguments
from logctx_lint.analysis.started_tasks import class_node
from logctx_lint.analysis.units import File
from logctx_lint.inference.known_names import APPENDERS
from logctx_lint.inference.types import FunctionType, members_of
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import all_nodes, child_nodes, last_name

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
    if any(_is_named(node, attribute) and node not in own for node in all_nodes(context.file.tree)):
        return True
    for method in cls.body if cls else ():
        if isinstance(method, FunctionNode) and _looks(method, attribute):
            return True
    return False


def are_all_kept(file: File) -> bool:
    """Whether the package has a task factory of its own that keeps every task.

    loop.set_task_factory(factory)        # def factory(loop, coro): ...; tasks.add(task)
    """
    resolver = file.resolver
    return any(
        _keeps_one(each.function.tree())
        for call, scope in resolver.references.calls("set_task_factory", file.module)
        for given in call.args
        for each in members_of(resolver.type_of(given, scope))
        if isinstance(each, FunctionType) and not each.function.module.is_stub
    )


def _keeps_one(factory: FunctionNode | None) -> bool:
    """Whether a function puts something into a collection that outlives it."""
    return factory is not None and any(
        isinstance(each, ast.Call)
        and isinstance(each.func, ast.Attribute)
        and isinstance(each.func.value, ast.Attribute | ast.Name)
        and each.func.attr in APPENDERS
        and isinstance(each.args[0] if each.args else None, ast.Name)
        for each in all_nodes(factory)
    )


def is_any_looked_at(context: TreeContext, collection: ast.expr) -> bool:
    """Whether code of the file that has to do with a collection of tasks looks how one has ended,
    awaits something that may be one, or hands the collection on."""
    name = last_name(collection)
    for function in all_nodes(context.file.tree):
        if not isinstance(function, FunctionNode):
            continue
        nodes = list(all_nodes(function))
        mentions = [each for each in nodes if _is_mention(each, name)]
        if mentions and any(
            (isinstance(each, ast.Attribute) and each.attr in _LOOKS)
            or (isinstance(each, ast.Await) and not isinstance(each.value, ast.Call))
            or (isinstance(each, ast.Call) and last_name(each.func) in _WAITERS)
            or (isinstance(each, ast.Return) and _is_mention(each.value, name))
            or (
                isinstance(each, ast.Call)
                and any(_is_mention(given, name) for given in arguments(each))
                and last_name(each.func) not in _COPIES
            )
            for each in nodes
        ):
            return True
    return False


def _is_mention(node: ast.AST | None, name: str) -> bool:
    return isinstance(node, ast.Attribute | ast.Name) and last_name(node) == name


def sets_itself(function: Function, attribute: str) -> bool:
    """Whether what runs in a task has itself forgotten in the end: `self._task = None`."""
    node = function.implementation.tree()
    return node is not None and any(
        isinstance(each, ast.Attribute)
        and each.attr == attribute
        and not isinstance(each.ctx, ast.Load)
        for each in all_nodes(node)
    )


def _is_named(node: ast.AST, attribute: str) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == attribute


def _looks(method: FunctionNode, attribute: str) -> bool:
    nodes = list(all_nodes(method))
    if not any(_is_named(each, attribute) for each in nodes):
        return False
    parents = {child: each for each in nodes for child in child_nodes(each)}
    is_ended = any(isinstance(each, ast.Attribute) and each.attr == "cancel" for each in nodes)
    return any(
        isinstance(each, ast.Attribute)
        and each.attr == attribute
        and not _is_mere_use(each, parents.get(each), is_ended=is_ended)
        for each in nodes
    )


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
