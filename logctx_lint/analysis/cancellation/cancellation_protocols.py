"""Coroutines that swallow their cancellation by agreement with the code that cancels them.

except CancelledError as error:         # Clean-up for a cancellation: what it swallows itself
    await notify(error)                 # does not keep the one from going on.
    raise

counter = create_task(count(queue))     # A cancellation is the signal to give the result.
counter.cancel()
total = await counter

self._reader.cancel()                   # Or to end: a task that ended as cancelled would make
await self._reader                      # whoever stops it fail here.
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
from logctx_lint.syntax.ast_walk import assignments, body_nodes

_STARTERS = frozenset({Role.TASK_STARTER})


def is_arranged(code: Code, *, ends: bool) -> bool:
    """Whether all who run a function count on how it ends, if it does, when it is cancelled."""
    function = code.scope.function
    if function is None:
        return False
    sites = call_sites(code.file.resolver, function)
    return bool(sites) and (
        all(_is_clean_up(code, call, scope) for call, scope in sites)
        or (ends and all(_is_stopped_so(code, call, scope) for call, scope in sites))
    )


def _is_clean_up(code: Code, call: ast.Call, scope: Scope) -> bool:
    """Whether a call is awaited in a handler of the cancellation that raises it in the end."""
    return any(
        isinstance(handler.body[-1], ast.Raise)
        and handler.body[-1].exc is None
        and _catches(code, handler.type, scope)
        and any(each.value is call for each in body_nodes(handler, ast.Await))
        for handler in _handlers(scope)
    )


def _is_stopped_so(code: Code, call: ast.Call, scope: Scope) -> bool:
    """Whether the task of a call is cancelled, and then awaited as it is: for its result, or by
    a method of the object that keeps it."""
    node = scope.node
    for each in body_nodes(node) if isinstance(node, FunctionNode) else ():
        match each:
            case ast.Assign([target], ast.Call(starter, [given, *_])) | ast.AnnAssign(
                target, _, ast.Call(starter, [given, *_])
            ) if given is call and code.file.may_play(starter, _STARTERS):
                if isinstance(target, ast.Name):
                    return _cancels_and_awaits(code, target, scope, (ast.Assign, ast.Return))
                return isinstance(target, ast.Attribute) and any(
                    _cancels_and_awaits(code, target, method, (ast.Expr, ast.Assign, ast.Return))
                    for method in _methods(code, scope)
                )
    return False


def _methods(code: Code, scope: Scope) -> Iterator[Scope]:
    """The methods of the class that a method stands in."""
    owner = scope.enclosing_class
    for method, node in owner.method_trees() if owner else ():
        yield code.file.resolver.body_scopes.of(method, node)


def _cancels_and_awaits(
    code: Code, task: ast.expr, scope: Scope, kinds: tuple[type[ast.stmt], ...]
) -> bool:
    """Whether a function cancels a task, and lets out what comes when it then awaits it."""
    nodes = list(body_nodes(scope.node)) if isinstance(scope.node, FunctionNode) else []
    names = {ast.unparse(task), *_aliases(nodes, ast.unparse(task))}
    cancels = [
        each.lineno for each in nodes if isinstance(each, ast.Call) and _is_cancel(each, names)
    ]
    values: list[ast.expr | None] = [
        getattr(each, "value", None) for each in nodes if cancels and isinstance(each, kinds)
    ]
    uses = [each for each in values if each is not None and _awaits(code, each, names, scope)]
    return any(
        use.lineno > min(cancels) and not any(use is each for each in _guarded(code, nodes, scope))
        for use in uses
    )


def _aliases(nodes: list[ast.AST], text: str) -> Iterator[str]:
    for target, value in assignments(nodes):
        if isinstance(target, ast.Name) and ast.unparse(value) == text and "." in text:
            yield target.id


def _guarded(code: Code, nodes: list[ast.AST], scope: Scope) -> Iterator[ast.AST]:
    """The code around which a cancellation is caught."""
    for node in nodes:
        attempt = as_try(node)
        if attempt and any(_catches(code, each.type, scope) for each in attempt.handlers):
            yield from body_nodes(attempt)
        if isinstance(node, ast.With | ast.AsyncWith) and any(
            isinstance(item.context_expr, ast.Call)
            and Role.SUPPRESSOR in code.file.roles(item.context_expr.func, scope)
            and any(_catches(code, each, scope) for each in item.context_expr.args)
            for item in node.items
        ):
            yield from body_nodes(node)


def _is_cancel(node: ast.Call, names: set[str]) -> bool:
    match node:
        case ast.Call(ast.Attribute(task, "cancel")):
            return ast.unparse(task) in names
    return False


def _awaits(code: Code, node: ast.expr, names: set[str], scope: Scope) -> bool:
    """`await task`, `await asyncio.gather(task, other)`."""
    match node:
        case ast.Await(ast.Name() | ast.Attribute() as task):
            return ast.unparse(task) in names
        case ast.Await(ast.Call(func, given, [])):
            is_gather = Role.FORWARDING_GATHERER in code.file.roles(func, scope)
            return is_gather and not names.isdisjoint(map(ast.unparse, given))
    return False


def _handlers(scope: Scope) -> Iterator[ast.ExceptHandler]:
    node = scope.node
    for each in body_nodes(node) if isinstance(node, FunctionNode) else ():
        if isinstance(each, ast.ExceptHandler):
            yield each


def _catches(code: Code, clause: ast.expr | None, scope: Scope) -> bool:
    """Whether an `except` clause, or an argument of `suppress`, takes a cancellation."""
    if clause is None:
        return True
    found = caught(code.file.resolver, code.file.vocabulary, clause, scope)
    return bool(found.cancellation & (Cancellation.ASYNCIO | Cancellation.TRIO))
