"""Child processes that are killed on a time-out, but left running on a cancellation.

process = await create_subprocess_exec(...)
try:
    await wait_for(process.communicate(), 5)
except TimeoutError:
    process.kill()          # Where this is cancelled, nobody does.
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.context import TreeContext
from logctx_lint.syntax.ast_walk import body_nodes, is_name, own_nodes

_KILLING = frozenset({"kill", "terminate", "send_signal"})
_CHILDREN = frozenset(
    f"asyncio.{module}create_subprocess_{kind}"
    for module in ("", "subprocess.")
    for kind in ("exec", "shell")
)
_TIME_LIMITS = frozenset(
    {"builtins.TimeoutError", "asyncio.TimeoutError", "asyncio.exceptions.TimeoutError"}
)


def child_ended(
    context: TreeContext,
    function: ast.AsyncFunctionDef,
    attempt: ast.Try,
    handler: ast.ExceptHandler,
) -> ast.Call | None:
    """Where a handler for time limits ends a child that nothing else ends."""
    if handler.type is None or not _TIME_LIMITS & set(context.names(handler.type)):
        return None
    for node in body_nodes(handler):
        match node:
            case ast.Call(ast.Attribute(ast.Name() as child, method)) if method in _KILLING:
                if _is_child(context, function, attempt, child) and not any(
                    is_name(each, child.id)
                    for block in context.ends(attempt)
                    for each in own_nodes(block)
                ):
                    return node
    return None


def _is_child(
    context: TreeContext, function: ast.AsyncFunctionDef, attempt: ast.Try, name: ast.Name
) -> bool:
    """Whether a local name holds a process that was started before a `try`, and nobody else has."""
    bindings = context.unit.scopes[function].reaching_name(name)
    started = [each.value for each in bindings if each.position[0] < attempt.lineno]
    return (
        len(bindings) == len(started) > 0
        and all(
            isinstance(each, ast.Await)
            and isinstance(each.value, ast.Call)
            and _CHILDREN & set(context.names(each.value))
            for each in started
        )
        and not any(_hands_on(node, name.id) for node in body_nodes(function))
    )


def _hands_on(node: ast.AST, name: str) -> bool:
    """Whether a name is stored, given to a call or returned."""
    match node:
        case (
            ast.Assign(_, value) | ast.Return(ast.expr() as value) | ast.Yield(ast.expr() as value)
        ):
            parts: list[ast.expr] = [value]
        case ast.Call(_, given, keywords):
            parts = [*given, *(each.value for each in keywords)]
        case _:
            return False
    parts += [part for each in parts if isinstance(each, ast.Tuple) for part in each.elts]
    return any(is_name(each, name) for each in parts)
