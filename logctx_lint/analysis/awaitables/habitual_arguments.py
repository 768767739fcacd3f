"""Functions to which a file passes awaited values in all its other calls.

    return self._answer(session, await session.call("get_nodes"))
    ...
    nodes = await session.call("get_nodes")
    return self._answer(session, nodes)

Where nothing else is known of a parameter, a caller that gives it an awaitable has very likely
forgotten to await that.
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.callback_arguments import signatures
from logctx_lint.analysis.units import File
from logctx_lint.inference.awaited_elsewhere import is_inlined
from logctx_lint.inference.passed_arguments import pairs
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.modules import Function

_LEAST = 3
"""Calls that give what was awaited, to be what the file always does."""


def is_given_awaited(file: File, function: Function, name: str) -> bool:
    """Whether most calls of a function in a file give for a parameter what was awaited.

    None gives an awaitable but the one about which is asked.
    """
    awaited = others = awaitables = 0
    resolver = file.resolver
    called = (
        function.owner.name if function.owner and function.name == "__init__" else function.name
    )
    for call, scope in resolver.references.calls_in(file.module, called):
        for callee, parameters in signatures(file, call, scope):
            given = {parameter.name: argument for parameter, argument in pairs(call, parameters)}
            if callee.function != function or name not in given:
                continue
            if _is_awaited(given[name], scope):
                awaited += 1
            elif resolver.awaitability(resolver.type_of(given[name], scope)).is_likely:
                awaitables += 1
            else:
                others += 1
    return awaited >= _LEAST and awaited > others and awaitables <= 1


def _is_awaited(node: ast.expr | None, scope: Scope) -> bool:
    """Whether a value is what awaiting something gave."""
    match node:
        case ast.Await():
            return True
        case ast.Yield(ast.expr()):
            return scope.function is not None and is_inlined(scope.function.facts)
        case ast.Name():
            bindings = scope.reaching_name(node)
            return bool(bindings) and all(
                each.kind == "value"
                and isinstance(each.value, ast.Await | ast.Yield)
                and _is_awaited(each.value, scope)
                for each in bindings
            )
    return False
