"""Callbacks of clients that read from the network in a thread of their own.

client = mqtt.Client()
client.on_connect = self._connected     # Called in the thread that `loop_start` starts.
client.loop_start()
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.context import TreeContext
from logctx_lint.inference.types import ExternalInstance, Instance, members_of

_CLIENT = "paho.mqtt.client.Client"
_CALLBACKS = frozenset(
    f"on_{event}"
    for event in ("connect", "connect_fail", "disconnect", "log", "message", "pre_connect",
                  "publish", "subscribe", "unsubscribe")
)  # fmt: skip


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
