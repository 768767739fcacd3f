"""Coroutines whose answer to a cancellation is arranged with whoever runs them.

except CancelledError as error:         # Clean-up for a cancellation: what it swallows itself
    await notify(error)                 # does not keep the one from going on.
    raise

counter = create_task(count(queue))     # A cancellation is the signal to give the result.
counter.cancel()
total = await counter
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.call_sites import call_sites
from logctx_lint.analysis.cancellation.cancellation_state import Code
from logctx_lint.analysis.context import as_try
from logctx_lint.analysis.exception_handlers import Cancellation, caught
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import own_nodes

_STARTERS = frozenset({Role.TASK_STARTER})


def is_arranged(code: Code) -> bool:
    """Whether all who run a function count on how it ends when it is cancelled."""
    function = code.scope.function
    if function is None:
        return False
    sites = call_sites(code.file.resolver, function)
    return bool(sites) and (
        all(_is_clean_up(code, call, scope) for call, scope in sites)
        or all(_is_stopped_so(code, call, scope) for call, scope in sites)
    )


def _is_clean_up(code: Code, call: ast.Call, scope: Scope) -> bool:
    """Whether a call is awaited in a handler of the cancellation that raises it in the end."""
    return any(
        isinstance(handler.body[-1], ast.Raise)
        and handler.body[-1].exc is None
        and _catches(code, handler, scope)
        and any(
            isinstance(each, ast.Await) and each.value is call for each in own_nodes(handler.body)
        )
        for handler in _handlers(scope)
    )


def _is_stopped_so(code: Code, call: ast.Call, scope: Scope) -> bool:
    """Whether the task of a call is cancelled, and then awaited as it is for its result."""
    node = scope.node
    for each in own_nodes(node.body) if isinstance(node, FunctionNode) else ():
        match each:
            case ast.Assign([ast.Name(name)], ast.Call(starter, [given, *_])) if given is call:
                if code.file.may_play(starter, _STARTERS):
                    return _cancels_for_result(code, name, scope)
    return False


def _cancels_for_result(code: Code, name: str, scope: Scope) -> bool:
    nodes = list(own_nodes(scope.node.body)) if isinstance(scope.node, FunctionNode) else []
    cancels = [
        each.lineno for each in nodes if isinstance(each, ast.Call) and _is_cancel(each, name)
    ]
    uses = [
        each.value
        for each in nodes
        if isinstance(each, ast.Assign | ast.Return) and _awaits(each.value, name)
    ]
    guarded = {
        inner
        for attempt in filter(None, map(as_try, nodes))
        if any(_catches(code, each, scope) for each in attempt.handlers)
        for inner in own_nodes(attempt.body)
    }
    return bool(cancels) and any(
        use is not None and use.lineno > min(cancels) and use not in guarded for use in uses
    )


def _is_cancel(node: ast.Call, name: str) -> bool:
    match node:
        case ast.Call(ast.Attribute(ast.Name(task), "cancel")):
            return task == name
    return False


def _awaits(node: ast.AST | None, name: str) -> bool:
    match node:
        case ast.Await(ast.Name(task)):
            return task == name
    return False


def _handlers(scope: Scope) -> Iterator[ast.ExceptHandler]:
    node = scope.node
    for each in own_nodes(node.body) if isinstance(node, FunctionNode) else ():
        if isinstance(each, ast.ExceptHandler):
            yield each


def _catches(code: Code, handler: ast.ExceptHandler, scope: Scope) -> bool:
    """Whether a handler takes a cancellation."""
    if handler.type is None:
        return True
    found = caught(code.file.resolver, code.file.vocabulary, handler.type, scope)
    return bool(found.cancellation & (Cancellation.ASYNCIO | Cancellation.TRIO))
