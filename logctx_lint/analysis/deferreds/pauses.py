"""Functions that only let time pass: what they give is there to be awaited, and for nothing else.

def sleep(seconds):
    d = Deferred()
    reactor.callLater(seconds, d.callback, None)
    return d
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.units import File
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import body_nodes, is_name

_TIMERS = frozenset({"callLater", "call_later"})
_COMPLETING = frozenset({"callback", "set_result"})


def only_waits(file: File, function: Function) -> bool:
    """Whether all that a function does is to make an awaitable that a timer completes."""
    node = None if function.module.is_stub or function.facts.is_async else function.tree()
    if node is None:
        return False
    calls, returns = body_nodes(node, ast.Call), body_nodes(node, ast.Return)
    timed = [name for each in calls if (name := _completed_by_timer(each))]
    if len(timed) != 1 or len(calls) != 2 or len(returns) != 1:
        return False
    scope = Scope.of_body(function, node)
    made = scope.bindings.get(timed[0], ())
    return (
        is_name(returns[0].value, timed[0])
        and len(made) == 1
        and made[0].value in calls
        and file.resolver.awaitability(file.resolver.bindings.type_of(made[0], scope)).is_certain
    )


def _completed_by_timer(call: ast.Call) -> str:
    """The name of what a timer completes: `reactor.callLater(seconds, d.callback, None)`."""
    match call:
        case ast.Call(
            ast.Attribute(_, timer), [_, ast.Attribute(ast.Name(name), completes), *_]
        ) if timer in _TIMERS and completes in _COMPLETING:
            return name
    return ""
