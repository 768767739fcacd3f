"""Events that others wait for, and that are set only where the work before succeeds.

self.loading[key] = event = asyncio.Event()
self.values[key] = await load(key)      # Where this fails, whoever waits for the event is stuck.
event.set()
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.awaitables.ownership import sees_to_failures
from logctx_lint.analysis.cancellation.cancellation_state import Code
from logctx_lint.analysis.cancellation.cleanup_of_callers import (
    call_sites,
    cleanup_around,
    said_by_caller,
)
from logctx_lint.analysis.cancellation.lone_entries import is_never_cancelled
from logctx_lint.analysis.cancellation.skipped_cleanup import risks_in
from logctx_lint.analysis.context import TreeContext, as_try
from logctx_lint.analysis.deferreds.ended_waiters import is_kept_in
from logctx_lint.analysis.exception_handlers import Cancellation, caught_by
from logctx_lint.analysis.own_class import class_node
from logctx_lint.analysis.surroundings import outwards
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.raised_errors import takes_every_error
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    body_nodes,
    last_name,
    own_nodes,
    place_name,
    with_following,
)

_EVENTS = frozenset({"asyncio.Event", "asyncio.locks.Event"})


@dataclass(frozen=True, slots=True)
class UnsetEvent:
    """Where an event is made, what may fail, and where it is set."""

    made: ast.Assign
    place: str
    risk: Risk
    setting: ast.stmt


@dataclass(frozen=True, slots=True)
class Risk:
    """Something that may keep what follows from being reached."""

    line: int
    may_fail: bool
    """Otherwise only a cancellation comes out of it."""


def unset_events(context: TreeContext, function: ast.AsyncFunctionDef) -> Iterator[UnsetEvent]:
    """The events that a method keeps for others and sets behind something that may fail."""
    for statement, following in with_following(function):
        if not isinstance(statement, ast.Assign) or not _is_event(context, statement.value):
            continue
        kept = next((each for each in statement.targets if _is_of_self(each)), None)
        if kept is None or not _is_waited_for(context, place_name(kept)):
            continue
        names = {ast.unparse(each) for each in statement.targets}
        found = _set_late(context, function, following, names)
        if found is not None and not (
            _is_set_by_others(context, function, place_name(kept), names)
            or _is_set_by_callers(context, function, kept)
        ):
            yield UnsetEvent(statement, ast.unparse(kept), *found)


def _is_event(context: TreeContext, value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and bool(_EVENTS & set(context.names(value)))


def _is_of_self(target: ast.expr) -> bool:
    return ast.unparse(target).startswith("self.")


def _is_waited_for(context: TreeContext, name: str) -> bool:
    """Whether the class waits for what an attribute of this name is or holds."""
    cls = class_node(context)
    return cls is not None and any(
        isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
        and node.value.func.attr == "wait"
        and place_name(node.value.func.value) == name
        for node in all_nodes(cls, ast.Await)
    )


# Where it is set behind what may fail


def _set_late(
    context: TreeContext, function: FunctionNode, following: list[ast.stmt], names: set[str]
) -> tuple[Risk, ast.stmt] | None:
    """What may fail before a statement that sets an event, and that statement."""
    risks: list[Risk] = []
    for each in following:
        if isinstance(each, ast.Expr) and _sets(each.value, names):
            found = _worst(context, function, risks)
            return (found, each) if found else None
        if as_try(each) is not None or any(_sets(node, names) for node in own_nodes([each])):
            return None  # On some path; which one is not known here.
        for node in risks_in(context, function, [each]):
            may_fail, may_be_cancelled = gets_out(context, node, each)
            if may_fail or may_be_cancelled:
                risks.append(Risk(node.lineno, may_fail))
    return None


def _worst(context: TreeContext, function: FunctionNode, risks: list[Risk]) -> Risk | None:
    """The first that may fail, or else be cancelled, if anybody cancels the function."""
    failing = next((each for each in risks if each.may_fail), None)
    if failing is not None or not risks:
        return failing
    code = Code(context.file, function, context.unit.scopes[function], by_yield=False)
    return None if is_never_cancelled(code) else risks[0]


def gets_out(context: TreeContext, risk: ast.AST, statement: ast.stmt) -> tuple[bool, bool]:
    """Whether an error, and whether a cancellation, gets from something out of a statement."""
    may_fail, may_be_cancelled = not _never_fails(context, risk), True
    for outer, inner in outwards(context, risk):
        attempt = as_try(outer)
        if attempt is not None and inner in attempt.body:
            for handler in attempt.handlers:
                if not any(isinstance(e, ast.Raise | ast.Return) for e in body_nodes(handler)):
                    may_fail = may_fail and not takes_every_error(
                        context.resolver, handler.type, context.scopes[handler]
                    )
                    caught = caught_by(context, handler.type).cancellation
                    may_be_cancelled = may_be_cancelled and Cancellation.ASYNCIO not in caught
        if outer is statement:
            break
    return may_fail, may_be_cancelled


def _never_fails(context: TreeContext, risk: ast.AST) -> bool:
    match risk:
        case ast.Await(ast.Call() as call):
            return Role.NEVER_FAILS in context.roles(call) or sees_to_failures(
                context, call.func, context.scopes[call]
            )
    return False


def _sets(node: ast.AST, names: set[str]) -> bool:
    match node:
        case ast.Call(ast.Attribute(receiver, "set"), []):
            return ast.unparse(receiver) in names
    return False


# Where others set it


def _is_set_by_others(
    context: TreeContext, function: FunctionNode, name: str, names: set[str]
) -> bool:
    """Whether other code of the file sets what an attribute of this name is or holds, and not only
    an event that it puts there itself; a callback that the function makes does, too."""
    own = set(body_nodes(function))
    inner = (each for each in all_nodes(function) if each not in own)
    if any(_sets(each, names) for each in inner):
        return True
    cls = class_node(context)
    of_class = set(all_nodes(cls)) if cls else set()
    for other in all_nodes(context.file.tree):
        if (
            isinstance(other, FunctionNode)
            and not _overlap(other, function)
            and not any(_makes(each, name) for each in all_nodes(other))
            and any(
                _sets_in(each, other, name, is_own=other in of_class) for each in all_nodes(other)
            )
        ):
            return True
    return False


def _overlap(one: FunctionNode, other: FunctionNode) -> bool:
    """Whether two functions are one, or one is inside the other."""
    return one in all_nodes(other) or other in all_nodes(one)


def _makes(node: ast.AST, name: str) -> bool:
    match node:
        case ast.Assign(targets, ast.Call(func)) if last_name(func) == "Event":
            return any(place_name(each) == name for each in targets)
    return False


def _sets_in(node: ast.AST, function: FunctionNode, name: str, *, is_own: bool) -> bool:
    """Whether a method of the class sets it for `self`, or any code for an object it is given."""
    match node:
        case ast.Call(ast.Attribute(receiver, "set"), []) if is_own:
            return place_name(receiver) == name or is_kept_in(receiver, function, name)
        case ast.Call(ast.Attribute(receiver, "set"), []):
            return place_name(receiver) == name and not _is_of_self(receiver)
    return False


def _is_set_by_callers(context: TreeContext, function: FunctionNode, kept: ast.expr) -> bool:
    """Whether all who call a function set its event where that is cut short."""
    sites = call_sites(context, function)
    return bool(sites) and all(
        (said := said_by_caller(context.resolver, callee, call, kept)) is not None
        and any(
            _sets(node, {said})
            for block in cleanup_around(context, call, scope)
            for node in own_nodes(block)
        )
        for call, scope, callee in sites
    )
