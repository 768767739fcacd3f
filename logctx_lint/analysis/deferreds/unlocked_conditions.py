"""Calls of `Condition.notify()` without the condition's lock, which raise RuntimeError.

def close(self):
    self.closed = True
    self.changed.notify_all()   # RuntimeError: whoever waits is not woken.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.assertions import is_expected_to_raise
from logctx_lint.analysis.call_sites import call_sites
from logctx_lint.analysis.context import TreeContext, arguments
from logctx_lint.analysis.surroundings import attempts_around
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import all_nodes, parents_of

NOTIFYING = frozenset({"notify", "notify_all"})
_CONDITIONS = frozenset(
    f"{home}.Condition.{name}"
    for home in ("asyncio", "asyncio.locks", "anyio", "trio")
    for name in NOTIFYING
)
_TAKING = frozenset({"acquire", "acquire_nowait"})
_OTHERS = frozenset({Role.TIMEOUT_SCOPE, Role.CANCEL_SCOPE, Role.TASK_SCOPE})
"""What an `async with` may enter that is no lock."""
_LONGEST_WAY = 3
"""How many callers up somebody may hold the lock."""


def notified_unlocked(context: TreeContext) -> Iterator[ast.Call]:
    """The calls of the unit that notify a condition whose lock nobody on the way there takes."""
    for call, _ in context.unit.nodes(ast.Call):
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in NOTIFYING:
            continue
        if not _CONDITIONS & set(context.names(call)) or is_expected_to_raise(context, call):
            continue
        if any(each.handlers for each in attempts_around(context, call)):
            continue
        if not _may_be_locked(context, call, context.scopes[call], call.func.value, _LONGEST_WAY):
            yield call


def _may_be_locked(
    context: TreeContext, call: ast.Call, scope: Scope, condition: ast.expr | None, ways: int
) -> bool:
    """Whether the code around a call, or one of those who call that, may hold the lock.

    `condition`: None in a caller, where it may have another name.
    """
    tree, function = _function_around(scope)
    if tree is None or function is None or function.facts.decorators:
        return True
    parents = parents_of(tree)
    outer: ast.AST | None = call
    while outer is not None:
        if isinstance(outer, ast.AsyncWith) and any(
            _may_lock(context, item.context_expr, scope) for item in outer.items
        ):
            return True
        outer = parents.get(outer)
    if any(_takes(each, condition) for each in all_nodes(tree)):
        return True
    if function.name.startswith("__a"):
        return True  # `__aexit__`, behind what `__aenter__` has taken.
    if not ways:
        return True
    return any(
        _may_be_locked(context, each, around, None, ways - 1)
        for each, around in call_sites(context.resolver, function)
        if each is not call
    )


def _function_around(scope: Scope) -> tuple[FunctionNode | None, Function | None]:
    """The outermost function around a scope."""
    while scope.parent and scope.parent.node:
        scope = scope.parent
    node = scope.node
    return (node, scope.function) if isinstance(node, FunctionNode) else (None, None)


def _may_lock(context: TreeContext, entered: ast.expr, scope: Scope) -> bool:
    called = entered.func if isinstance(entered, ast.Call) else None
    return called is None or not context.file.roles(called, scope) & _OTHERS


def _takes(node: ast.AST, condition: ast.expr | None) -> bool:
    """`await c.acquire()`, `await stack.enter_async_context(c)`; of any lock, for callers."""
    match node:
        case ast.Call(ast.Attribute(_, name)) if name in _TAKING:
            return True
        case ast.Call() if condition is not None:
            text = ast.unparse(condition)
            return any(ast.unparse(each) == text for each in arguments(node))
    return False
