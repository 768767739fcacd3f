"""Twisted timers that are cancelled on shutdown although they may have fired already.

def connectionMade(self):
    self.idle = reactor.callLater(60, self.timed_out)

def timed_out(self):
    self.transport.loseConnection()

def connectionLost(self, reason):
    self.idle.cancel()          # Raises AlreadyCalled behind `timed_out()`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.own_class import own_methods
from logctx_lint.analysis.surroundings import attempts_around
from logctx_lint.config.vocabulary import Role
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, is_none, last_name, own_attribute

_ENDS = frozenset({Role.CONNECTION_END, Role.SERVICE_END})
_CANCEL = "twisted.internet.interfaces.IDelayedCall.cancel"
_ASKING = frozenset({"active", "called", "getTime"})
_CLOSING = frozenset({"loseConnection", "abortConnection"})
_TIMER = "callLater"


@dataclass(frozen=True, slots=True)
class SpentTimer:
    """Where a timer is cancelled, what it calls, and whether that surely leads there."""

    cancelling: ast.Call
    called: FunctionNode
    is_sure: bool


def spent_timers(context: TreeContext) -> Iterator[SpentTimer]:
    """The timers that a method which ends something cancels, whether or not they are still on."""
    method = context.unit.node
    if not isinstance(method, FunctionNode):
        return
    if not context.file.vocabulary.has_bare_name(method.name, _ENDS):
        return
    if any(isinstance(e, ast.Attribute) and e.attr in _ASKING for e in all_nodes(method)):
        return
    for call, _ in context.unit.nodes(ast.Call):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "cancel":
            place = own_attribute(call.func.value)
            is_tried = any(each.handlers for each in attempts_around(context, call))
            if place and not is_tried and _CANCEL in context.names(call):
                for called in _called_by(context, place):
                    yield SpentTimer(call, called, _leads_to_end(context, called))


def _called_by(context: TreeContext, place: str) -> list[FunctionNode]:
    """The method that the timer in an attribute calls, and that leaves the timer there."""
    methods = {each.name: each for each in own_methods(context)}
    called: dict[str, FunctionNode] = {}
    for method in methods.values():
        for each in all_nodes(method, ast.Assign):
            if not any(own_attribute(target) == place for target in each.targets):
                continue
            match each.value:
                case ast.Call(ast.Attribute(_, name), [_, callback, *_]) if name == _TIMER:
                    found = methods.get(own_attribute(callback))
                    if found is None:
                        return []
                    called[found.name] = found
                case value if not is_none(value):
                    return []
    touches = any(
        own_attribute(node) == place
        for start in called.values()
        for method in _reached(methods, start)
        for node in all_nodes(method)
    )
    return [] if touches or len(called) != 1 else list(called.values())


def _reached(methods: dict[str, FunctionNode], start: FunctionNode) -> list[FunctionNode]:
    """A method, and those of the class that it mentions in turn."""
    found = [start]
    for method in found:
        for node in all_nodes(method):
            mentioned = methods.get(own_attribute(node))
            if mentioned is not None and mentioned not in found:
                found.append(mentioned)
    return found


def _leads_to_end(context: TreeContext, called: FunctionNode) -> bool:
    """Whether what the timer calls closes the connection, of which the method is the end."""
    return any(
        isinstance(node, ast.Call) and last_name(node.func) in _CLOSING
        for node in all_nodes(called)
    ) and context.file.vocabulary.has_bare_name(
        getattr(context.unit.node, "name", ""), frozenset({Role.CONNECTION_END})
    )
