"""Resources taken in `__aenter__` that leak when it fails later, as `__aexit__` is not called then.

async def __aenter__(self):
    await self.slots.acquire()              # Released by `__aexit__` alone.
    self.connection = await connect()       # As this is closed.
    await self.connection.log_in()
    return self
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.cancellation.skipped_cleanup import Skipped, is_undone_around, risks_in
from logctx_lint.analysis.cancellation.state_changes import (
    Change,
    called,
    changes,
    given_back,
    undone_in,
)
from logctx_lint.analysis.context import TreeContext, as_try
from logctx_lint.analysis.own_class import class_node
from logctx_lint.config.vocabulary import Role
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, own_nodes, with_following

_ENTRY, _EXIT = "__aenter__", "__aexit__"
_RELEASERS = frozenset({Role.RELEASER})
_STARTERS = frozenset({Role.TASK_STARTER})
_SEEING_TO_ALL = frozenset({_EXIT, "pop_all"})
_LEAVING = (ast.Return, ast.Raise, ast.Continue)


def lost_by_entry(context: TreeContext, function: FunctionNode) -> Iterator[Skipped]:
    """What only `__aexit__` undoes, and `__aenter__` has done before something that may fail."""
    cls = class_node(context) if function.name == _ENTRY else None
    if cls is None or _sees_to_all(function):
        return
    bodies = list(_exit_bodies(cls))
    undoing = {change: place for body in bodies for change, place in undone_in(body).items()}
    for statement, following in with_following(function) if bodies else ():
        for change in filter(undoing.__contains__, changes(statement)):
            if change.kind != "flag" and not is_undone_around(context, statement, change):
                risk = _first_risk(context, function, following, change)
                if risk is not None:
                    yield Skipped(statement, risk, undoing[change], change)
        taken = _taken(context, statement)
        end = _ended(context, bodies, taken)
        if end is not None and not _handles_failures(function):
            for risk in risks_in(context, function, following)[:1]:
                yield Skipped(statement, risk, end, None)


def _sees_to_all(function: FunctionNode) -> bool:
    """Whether a function hands what it takes to something that ends all of it."""
    attributes = all_nodes(function, ast.Attribute)
    return any(each.attr in _SEEING_TO_ALL and not _is_entry(each) for each in attributes)


def _is_entry(node: ast.Attribute) -> bool:
    """`await super().__aexit__()` has nothing to do with what this class takes."""
    match node.value:
        case ast.Call(ast.Name("super")):
            return True
    return False


def _exit_bodies(cls: ast.ClassDef) -> Iterator[list[ast.stmt]]:
    """What `__aexit__` runs: its own body, and that of methods of the class that it calls."""
    methods = {each.name: each for each in cls.body if isinstance(each, FunctionNode)}
    exit_method = methods.get(_EXIT)
    if exit_method is None:
        return
    yield exit_method.body
    for node in body_nodes(exit_method):
        match node:
            case ast.Call(ast.Attribute(ast.Name("self"), name)) if name in methods:
                yield methods[name].body


def _taken(context: TreeContext, statement: ast.stmt) -> str:
    """The attribute that gets something which has to be awaited to be had, or a task."""
    match statement:
        case ast.Assign([ast.Attribute(ast.Name("self"), name)], ast.Await(ast.Call())):
            return f"self.{name}"
        case ast.Assign([ast.Attribute(ast.Name("self"), name)], ast.Call() as made):
            if context.file.may_play(made.func, _STARTERS) and _STARTERS & context.roles(made):
                return f"self.{name}"
    return ""


def _ended(context: TreeContext, bodies: list[list[ast.stmt]], place: str) -> ast.stmt | None:
    """The statement that closes or cancels what an attribute holds."""
    for body in bodies if place else ():
        for node in own_nodes(body):
            call = called(node) if isinstance(node, ast.Expr) else None
            if call is None or not isinstance(call.func, ast.Attribute):
                continue
            is_end = call.func.attr == "cancel" or context.file.may_play(call.func, _RELEASERS)
            if is_end and any(ast.unparse(each) == place for each in given_back(call)):
                return node  # type: ignore[return-value]
    return None


def _handles_failures(function: FunctionNode) -> bool:
    """Whether a handler or `finally` of a function does anything by a call."""
    attempts = (attempt for node in body_nodes(function) if (attempt := as_try(node)))
    return any(
        isinstance(node, ast.Call)
        for attempt in attempts
        for block in (attempt.finalbody, *(each.body for each in attempt.handlers))
        for node in own_nodes(block)
    )


def _first_risk(
    context: TreeContext, function: FunctionNode, following: list[ast.stmt], change: Change
) -> ast.expr | None:
    """The first suspension point that no `try` sees to the change for."""
    for each in following:
        attempt = as_try(each)
        if attempt is not None:
            blocks = [attempt.finalbody, *(handler.body for handler in attempt.handlers)]
            if any(change in undone_in(block) for block in blocks):
                return None
        if change in undone_in([each]) or isinstance(each, _LEAVING):
            return None
        risks = risks_in(context, function, [each])
        if risks:
            return risks[0]
    return None
