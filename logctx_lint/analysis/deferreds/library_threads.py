"""Code that libraries call in threads of their own, and not in that of the event loop.

client = mqtt.Client()
client.on_connect = self._connected     # Called in the thread that `loop_start` starts.
client.loop_start()

class Watcher(FileSystemEventHandler):
    def on_modified(self, event):       # Called in the observer's thread.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from logctx_lint.analysis.called_code import Code
from logctx_lint.analysis.context import TreeContext
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.types import ExternalInstance, Instance, members_of
from logctx_lint.syntax.ast_walk import body_nodes

_CLIENT = "paho.mqtt.client.Client"
_CALLBACKS = frozenset(
    f"on_{event}"
    for event in ("connect", "connect_fail", "disconnect", "log", "message", "pre_connect",
                  "publish", "subscribe", "unsubscribe")
)  # fmt: skip
_THREAD_CALLED = frozenset({Role.THREAD_CALLED})
_LOGGING = "logging."


@dataclass(frozen=True, slots=True)
class ThreadCalled:
    """A function that something calls in a thread, and what that is."""

    code: Code
    caller: str
    is_any_thread: bool
    """It is called in whatever thread does something, as one that logs."""


def is_given_to_network_thread(context: TreeContext, statement: ast.Assign) -> bool:
    """Whether a statement makes something a callback of a client that has a thread of its own."""
    match statement.targets:
        case [ast.Attribute(client, name)] if name in _CALLBACKS:
            return context.file.source.mentions("loop_start") and any(
                (isinstance(each, ExternalInstance) and each.name == _CLIENT)
                or (isinstance(each, Instance) and each.cls.qualified_name == _CLIENT)
                for each in members_of(context.type_of(client))
            )
    return False


def called_in_thread(context: TreeContext) -> ThreadCalled | None:
    """The function or method that the unit is, if a library calls it in a thread."""
    node = context.unit.node
    if not isinstance(node, ast.FunctionDef):
        return None
    scope = context.unit.scopes[node]
    code = Code(tuple(body_nodes(node)), scope, scope.function)
    for decorator in node.decorator_list:
        if Role.THREAD_CALLER in context.roles(decorator):
            return ThreadCalled(code, f"@{ast.unparse(decorator)}", is_any_thread=False)
    vocabulary, owner = context.file.vocabulary, context.unit.scope.owner
    if owner is None or not vocabulary.playing(_THREAD_CALLED)[node.name]:
        return None
    for base in context.resolver.classes.names(owner):
        if vocabulary.roles([f"{base}.{node.name}"]) & _THREAD_CALLED:
            return ThreadCalled(code, base, is_any_thread=base.startswith(_LOGGING))
    return None
