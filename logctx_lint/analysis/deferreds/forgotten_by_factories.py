"""Deferreds that a factory of clients keeps, and that no connection that fails completes.

class Factory(ClientFactory):
    def __init__(self, done):
        self.done = done                # The protocol does `self.factory.done.callback(answer)`.

    def clientConnectionFailed(self, connector, reason):
        log.msg("connection failed")    # Whoever waits for it, waits forever.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.own_class import own_methods
from logctx_lint.inference.known_names import FAILERS
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Class
from logctx_lint.syntax.ast_walk import all_nodes, last_name, own_attribute

_FACTORY = "twisted.internet.protocol.ClientFactory"
_AGAIN = "twisted.internet.protocol.ReconnectingClientFactory"
FAILED = "clientConnectionFailed"
_GIVING_UP = frozenset({"connect", "retry", "stop", FAILED, "crash", "_exit", "exit"})
"""What else a factory may do: try again, or end the program."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A Deferred that nobody completes where the connection fails."""

    kept: ast.Assign
    attribute: str
    method: FunctionNode | None
    """What is called then, where the class has it."""


def _is_last_factory(context: TreeContext, owner: Class) -> bool:
    """Whether a class is a factory that nobody inherits, and that does not connect again."""
    bases = context.resolver.classes.names(owner)
    is_factory = _FACTORY in bases and _AGAIN not in bases
    return is_factory and not context.resolver.references.subclasses(owner)


def forgotten(context: TreeContext) -> Iterator[Forgotten]:
    """Those that the class keeps whose `__init__()` the unit is."""
    node, owner = context.unit.node, context.unit.scope.owner
    if not isinstance(node, ast.FunctionDef) or node.name != "__init__" or owner is None:
        return
    if not _is_last_factory(context, owner):
        return
    methods = {each.name: each for each in own_methods(context)}
    method = methods.get(FAILED)
    if method is None and not context.file.source.mentions("connectTCP"):
        return  # An endpoint fails what it gives itself.
    done = {last_name(node) for node in _reached(methods, method)} if method else set()
    if done & (_GIVING_UP | FAILERS):
        return
    for statement in node.body:
        match statement:
            case ast.Assign([target], ast.Name() | ast.Call()) if name := own_attribute(target):
                if name not in done and _is_only_answered(context, name):
                    yield Forgotten(statement, name, method)


def _reached(methods: dict[str, FunctionNode], start: FunctionNode) -> list[ast.AST]:
    """The nodes of a method, and of those of the class that it mentions in turn."""
    found = [start]
    for method in found:
        for node in all_nodes(method):
            mentioned = methods.get(own_attribute(node))
            if mentioned is not None and mentioned not in found:
                found.append(mentioned)
    return [node for method in found for node in all_nodes(method)]


def _is_only_answered(context: TreeContext, name: str) -> bool:
    """Whether code of the file fires what an attribute of this name holds, and none fails it."""
    used = {
        each.attr
        for each in all_nodes(context.file.tree, ast.Attribute)
        if isinstance(each.value, ast.Attribute) and each.value.attr == name
    }
    return "callback" in used and used.isdisjoint({*FAILERS, "cancel", "addTimeout"})
