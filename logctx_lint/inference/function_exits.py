"""How functions exit: whether one ever returns, and whether it lets a failure out."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from logctx_lint.inference.narrowing import dotted
from logctx_lint.inference.raised_errors import suppressing
from logctx_lint.inference.types import Instance, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, call_arguments, own_nodes
from logctx_lint.syntax.placeholders import asks_for_override, statements

if TYPE_CHECKING:
    from logctx_lint.inference.raised_errors import RaisedErrors
    from logctx_lint.inference.summaries import Summaries

_CONDITION, _EVENT = "asyncio.locks.Condition", "asyncio.locks.Event"
_LOCKS = frozenset({_CONDITION, "asyncio.locks.Lock", "asyncio.locks.Semaphore"})
_NONE: frozenset[str] = frozenset()
_PLAIN = (ast.Constant, ast.Name)
_NO_FAILURES = frozenset({"CancelledError", "GeneratorExit", "KeyboardInterrupt", "SystemExit"})


def handles_failures(summaries: Summaries, errors: RaisedErrors, node: FunctionNode) -> bool:
    """Whether all that may fail in a function stands in a `try` that handles every failure.

    It may stand in a function that this one only calls: `await self._run_safely(event)`.
    """
    body = [each for each in node.body if not _cannot_fail(each)]
    if not body:
        return False
    return all(_sees_to_failure(summaries, errors, each) for each in body) or all(
        _only_wakes(errors, each) for each in body
    )


def _sees_to_failure(summaries: Summaries, errors: RaisedErrors, statement: ast.stmt) -> bool:
    """Whether no failure gets out of a statement."""
    match statement:
        case ast.Expr(ast.Await(ast.Call() as call)) | ast.Return(ast.Await(ast.Call() as call)):
            found = summaries.of_callee(call.func, errors.scope)
            return all(map(_is_plain, call_arguments(call))) and (
                bool(found) and all(each.handles_failures for each in found or ())
            )
        case ast.AsyncWith(items, body):
            return all(_LOCKS & _classes(errors, each.context_expr) for each in items) and all(
                _cannot_fail(each) or _sees_to_failure(summaries, errors, each) for each in body
            )
        case ast.If(test, body, orelse) if _is_plain(test):
            return all(
                _cannot_fail(each) or _sees_to_failure(summaries, errors, each)
                for each in (*body, *orelse)
            )
    return _is_handled(errors, statement)


def _is_plain(node: ast.expr) -> bool:
    """A constant, a name, an attribute of one: what is there gives no failure."""
    match node:
        case ast.UnaryOp(ast.Not(), operand):
            return _is_plain(operand)
        case ast.Compare(left, [ast.Is() | ast.IsNot()], [right]):
            return _is_plain(left) and _is_plain(right)
    return isinstance(node, ast.Constant) or bool(dotted(node))


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
        case ast.If(
            test, [ast.Expr(ast.Call(ast.Attribute(woken, "set_result"), [value], []))], []
        ):
            return _asks_whether_done(test, dotted(woken)) and isinstance(value, _PLAIN)
    return False


def _asks_whether_done(test: ast.expr, path: str) -> bool:
    """`not future.done()`, or `future and not future.done()`, after which it takes a result."""
    match test:
        case ast.BoolOp(ast.And(), [first, *_, last]):
            return dotted(first) == path and _asks_whether_done(last, path)
        case ast.UnaryOp(ast.Not(), ast.Call(ast.Attribute(asked, "done"), [], [])):
            return dotted(asked) == path != ""
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
            inside = [each for each in body if not _cannot_fail(each) and not _sleeps(each)]
            return len(inside) == 1 and _is_handled(errors, inside[0])
        case ast.With([_]):
            return any(map(errors.takes_all, suppressing(statement)))
    return False


def _sleeps(statement: ast.stmt) -> bool:
    """`await asyncio.sleep(1)`"""
    match statement:
        case ast.Expr(ast.Await(ast.Call(func, [seconds], []))):
            return dotted(func).rpartition(".")[2] == "sleep" and _is_plain(seconds)
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
    if any(isinstance(each, ast.Return | ast.Yield | ast.YieldFrom) for each in body_nodes(node)):
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
            return not any(own_nodes(body, ast.Break))
    return False
