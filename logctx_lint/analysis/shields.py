"""What keeps a cancellation from outside from reaching work: calls, and scopes of anyio and trio.

await asyncio.shield(work())            # Or `stop_cancellation(work())`, or what a project has.

with CancelScope(shield=True):
    await work()

with move_on_after(5) as scope:
    scope.shield = True
    await work()                        # Only its own time-out reaches it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from logctx_lint.analysis.called_code import code_of
from logctx_lint.analysis.context import FunctionOrLambda, TreeContext
from logctx_lint.config.vocabulary import Role
from logctx_lint.syntax.ast_walk import body_nodes, start_of


def is_shield(context: TreeContext, node: ast.AST) -> bool:
    """Whether an expression is a call that shields what it is given."""
    return isinstance(node, ast.Call) and Role.CANCELLATION_SHIELD in context.roles(node)


def is_in_shield(context: TreeContext, node: ast.AST, below: ast.AST | None = None) -> bool:
    """Whether a scope around a node, in its function and inside of `below`, shields it."""
    for outer in context.around(node):
        if outer is below or isinstance(outer, FunctionOrLambda):
            break
        if isinstance(outer, ast.With) and any(
            _shields(context, each, outer, node) for each in outer.items
        ):
            return True
    return False


def is_shielding(call: ast.Call) -> bool:
    """Whether a call makes a scope that is shielded: `CancelScope(shield=True)`."""
    return any(keyword.arg == "shield" and _may_be_true(keyword.value) for keyword in call.keywords)


def opens_shield(context: TreeContext, call: ast.Call) -> bool:
    """Whether a function of the project that is called has a shielded scope inside."""
    codes = [code for each in context.functions(call.func) if (code := code_of(each))]
    return any(
        (isinstance(node, ast.Call) and is_shielding(node)) or _is_set(node) is True
        for code in codes
        for node in code.nodes
    )


def shielded_by_hand(nodes: Iterable[ast.AST], before: ast.AST) -> Iterator[str]:
    """The scopes that statements have set to shield what follows, where a node begins."""
    place = start_of(before)
    said = [each for each in nodes if _is_set(each) is not None and start_of(each) < place]
    last = {_scope_of(each): _is_set(each) for each in sorted(said, key=start_of)}
    yield from (scope for scope, is_shield in last.items() if is_shield)


def _shields(context: TreeContext, item: ast.withitem, statement: ast.With, node: ast.AST) -> bool:
    entered = item.context_expr
    if isinstance(entered, ast.Call) and (is_shielding(entered) or opens_shield(context, entered)):
        return True
    return item.optional_vars is not None and ast.unparse(item.optional_vars) in set(
        shielded_by_hand(body_nodes(statement), node)
    )


def _is_set(node: ast.AST) -> bool | None:
    """Whether a statement shields a scope, or no longer does; None if it does neither."""
    match node:
        case ast.Assign([ast.Attribute(_, "shield")], value):
            return _may_be_true(value)
    return None


def _scope_of(statement: ast.AST) -> str:
    match statement:
        case ast.Assign([ast.Attribute(scope)]):
            return ast.unparse(scope)
    return ""


def _may_be_true(value: ast.expr) -> bool:
    return not isinstance(value, ast.Constant) or bool(value.value)
