"""How functions exit: whether one ever returns, and whether it lets a failure out."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from logctx_lint.inference.narrowing import dotted
from logctx_lint.inference.types import Instance, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, own_nodes
from logctx_lint.syntax.placeholders import asks_for_override, statements

if TYPE_CHECKING:
    from logctx_lint.inference.raised_errors import RaisedErrors
    from logctx_lint.inference.summaries import Summaries

_CONDITION, _EVENT = "asyncio.locks.Condition", "asyncio.locks.Event"
_LOCKS = frozenset({_CONDITION, "asyncio.locks.Lock"})
_NONE: frozenset[str] = frozenset()
_NO_FAILURES = frozenset({"CancelledError", "GeneratorExit", "KeyboardInterrupt", "SystemExit"})


def handles_failures(errors: RaisedErrors, node: FunctionNode) -> bool:
    """Whether all that may fail in a function stands in a `try` that handles every failure."""
    body = [each for each in node.body if not _cannot_fail(each)]
    if len(body) == 1 and _is_handled(errors, body[0]):
        return True
    return bool(body) and all(_only_wakes(errors, each) for each in body)


def _only_wakes(errors: RaisedErrors, statement: ast.stmt, held: frozenset[str] = _NONE) -> bool:
    """Whether a statement only wakes those who wait for something of asyncio: that cannot fail.

    async with self._condition:
        self._condition.notify_all()
    """
    match statement:
        case ast.AsyncWith(items, body):
            locks = [each.context_expr for each in items]
            return all(_LOCKS & _classes(errors, each) for each in locks) and all(
                _cannot_fail(each)
                or _only_wakes(errors, each, held | {ast.unparse(lock) for lock in locks})
                for each in body
            )
        case ast.Expr(ast.Call(ast.Attribute(woken, "notify_all" | "notify"), [], [])):
            return ast.unparse(woken) in held and _CONDITION in _classes(errors, woken)
        case ast.Expr(ast.Call(ast.Attribute(woken, "set"), [], [])):
            return _EVENT in _classes(errors, woken)
    return False


def _classes(errors: RaisedErrors, node: ast.expr) -> set[str]:
    members = members_of(errors.resolver.type_of(node, errors.scope))
    names = {each.cls.qualified_name for each in members if isinstance(each, Instance)}
    return names if len(names) == len(members) else set()


def _is_handled(errors: RaisedErrors, statement: ast.stmt) -> bool:
    match statement:
        case ast.Try(_, handlers, orelse, final):
            waits = (ast.Await, ast.Yield, ast.Raise, ast.Return)
            if any(isinstance(inner, waits) for inner in own_nodes(orelse)):
                return False
            failing = [each for each in handlers if not _catches_no_failure(each)]
            return (
                any(map(errors.takes_all, handlers))
                and not any(any(errors.coming_out(each.body, each)) for each in failing)
                and not any(errors.coming_out(final))
            )
        case ast.While(ast.Constant(), body, []) | ast.For(
            _, ast.Name() | ast.Attribute() | ast.List() | ast.Tuple(), body, []
        ):
            inside = [each for each in body if not _cannot_fail(each)]
            return len(inside) == 1 and _is_handled(errors, inside[0])
    return False


def _catches_no_failure(handler: ast.ExceptHandler) -> bool:
    """`except CancelledError:` and the like: nothing has failed."""
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = [dotted(each).rpartition(".")[2] if each else "" for each in types]
    return all(each in _NO_FAILURES for each in names)


_READING = (
    ast.Name, ast.Attribute, ast.Constant, ast.BoolOp, ast.boolop, ast.UnaryOp, ast.Not,
    ast.Compare, ast.Is, ast.IsNot, ast.expr_context,
)  # fmt: skip
"""What a test is made of that only looks at names and attributes."""


def _cannot_fail(statement: ast.stmt) -> bool:
    """A docstring, an import, what binds or returns a name or a constant, and a choice of these."""
    match statement:
        case ast.Pass() | ast.Expr(ast.Constant()) | ast.Return(None | ast.Constant() | ast.Name()):
            return True
        case ast.Import() | ast.ImportFrom() | ast.Global() | ast.Nonlocal():
            return True
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return True
        case ast.Assign(_, ast.Constant() | ast.Name() | ast.List([]) | ast.Dict([])):
            return True
        case ast.AnnAssign(_, _, None | ast.Constant() | ast.Name()):
            return True
        case ast.If(test, body, orelse):
            only_reads = all(isinstance(each, _READING) for each in all_nodes(test))
            return only_reads and all(map(_cannot_fail, (*body, *orelse)))
    return False


def never_returns(summaries: Summaries, node: FunctionNode, scope: Scope) -> bool:
    """Whether every path through a plain function raises, or ends the process."""
    body = statements(node.body)
    if not body or asks_for_override(body[:1]):
        return False  # What overrides it may return.
    if any(
        isinstance(each, ast.Return | ast.Yield | ast.YieldFrom) for each in own_nodes(node.body)
    ):
        return False
    return _ends(summaries, node.body, scope)


def _ends(summaries: Summaries, body: list[ast.stmt], scope: Scope) -> bool:
    return any(_never_passes(summaries, each, scope) for each in body)


def _never_passes(summaries: Summaries, statement: ast.stmt, scope: Scope) -> bool:
    """Whether control does not come out of a statement at its end."""
    match statement:
        case ast.Raise():
            return True
        case ast.Expr(ast.Call() as call):
            return summaries.never_returns(call, scope)
        case ast.If(_, body, orelse):
            return _ends(summaries, body, scope) and _ends(summaries, orelse, scope)
        case ast.Try(body, handlers, orelse, final):
            return _ends(summaries, final, scope) or (
                (_ends(summaries, body, scope) or _ends(summaries, orelse, scope))
                and all(_ends(summaries, each.body, scope) for each in handlers)
            )
        case ast.While(ast.Constant(True), body):
            return not any(isinstance(each, ast.Break) for each in own_nodes(body))
    return False
