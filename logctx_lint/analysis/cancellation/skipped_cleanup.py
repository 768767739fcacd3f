"""Clean-up that a function does itself and that an error or cancellation skips.

self.busy = True                # `if self.busy: return` stands above
await self.refresh()            # If this fails, the function does nothing any more, forever.
self.busy = False

finally:
    await self.notify()         # If this is cancelled or fails, the next line is not reached.
    self.slots.release()
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.called_code import code_of
from logctx_lint.analysis.cancellation.state_changes import (
    Change,
    called,
    changes,
    given_back,
    is_refused,
    outlives,
    refuses,
    undone,
    undone_in,
)
from logctx_lint.analysis.cancellation.undone_elsewhere import (
    callbacks_before,
    is_undone_elsewhere,
    undone_by_helpers,
)
from logctx_lint.analysis.context import TreeContext, as_try, in_source_order
from logctx_lint.analysis.exception_handlers import caught_by
from logctx_lint.analysis.own_class import class_node, own_methods
from logctx_lint.analysis.service_ends import ends_service
from logctx_lint.analysis.surroundings import within
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.raised_errors import RaisedErrors
from logctx_lint.inference.suspensions import awaited_calls, is_suspension, may_run
from logctx_lint.inference.suspensions import called as called_functions
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import (
    Suspension,
    SuspensionOrYield,
    body_nodes,
    is_name,
    own_nodes,
    with_following,
)

_RELEASERS = frozenset({Role.RELEASER})
_LEAVING = (ast.Return, ast.Raise, ast.Continue)


@dataclass(frozen=True, slots=True)
class Skipped:
    """An undoing that is not reached where something before it fails."""

    made: ast.stmt
    risk: ast.expr | ast.stmt
    """What may raise between."""
    undoing: ast.stmt
    change: Change | None
    """None for something that was taken, as a connection of a pool."""
    is_guard: bool = False
    """The function refuses to run while the change is there."""


def risks_in(context: TreeContext, function: FunctionNode, nodes: list[ast.stmt]) -> list[ast.expr]:
    """The suspension points in some statements, in their order."""
    by_yield = context.awaits_by_yield(function) or _is_manager(context, function)
    kinds = SuspensionOrYield if by_yield else Suspension
    found = (each for each in own_nodes(nodes) if isinstance(each, kinds))
    return in_source_order(each for each in found if may_be_left_at(context, each))  # type: ignore[misc]


def may_be_left_at(context: TreeContext, place: ast.AST) -> bool:
    """Whether a function may be cancelled at some place, or get an error that is raised on purpose.

    The coroutine that an `await` runs may wait for nothing, and `raise` nothing itself. What fails
    in plain functions that it calls may fail where they are called without `await`, too.
    """
    scope, summaries = context.scopes[place], context.file.summaries
    if not isinstance(place, ast.Await) or is_suspension(summaries, place, scope):
        return True
    return any(
        code is None or any(isinstance(each, ast.Raise | ast.Assert) for each in code.nodes)
        for call in awaited_calls(place.value, scope)
        for function in called_functions(summaries, call.func, scope)
        for each in may_run(summaries, function.implementation)
        for code in (code_of(each.implementation),)
    )


def _is_manager(context: TreeContext, function: FunctionNode) -> bool:
    """An asynchronous context manager: what its block raises comes out of the `yield`."""
    return isinstance(function, ast.AsyncFunctionDef) and context.makes_manager(function)


# Undone behind a suspension point, and by no `finally`


def undone_by_hand(context: TreeContext, function: FunctionNode) -> Iterator[Skipped]:
    """Changes that the same block undoes further down, whatever may be raised between."""
    scope = context.unit.scopes[function]
    for statement, behind in with_following(function):
        for change in changes(statement):
            is_waited_for = isinstance(getattr(statement, "value", None), ast.Await | ast.Yield)
            if (change.kind == "lock" and is_waited_for) or not outlives(change, scope):
                continue  # What waits for a lock is looked at where it waits.
            following = [*behind, *_behind_blocks(context, statement)]
            found = _undoing(context, function, following, change)
            if found and not is_undone_around(context, statement, change):
                is_guard = is_refused(function.body, change, statement)
                if is_guard and _says_it_ends(context, function, change):
                    continue
                if is_undone_elsewhere(context, function, statement, found[1], change):
                    continue
                # Another flag may say how far things have come.
                if is_guard or change.kind != "flag":
                    yield Skipped(statement, found[1], found[0], change, is_guard)


def _behind_blocks(context: TreeContext, statement: ast.stmt) -> Iterator[ast.stmt]:
    """What follows the `with` blocks that a statement stands in: `async with self._lock:`."""
    for outer, inner in within(context, statement):
        if not isinstance(outer, ast.With | ast.AsyncWith) or inner not in outer.body:
            return
        yield from context.behind(outer)


def _says_it_ends(context: TreeContext, function: FunctionNode, change: Change) -> bool:
    """Whether a flag only keeps an object from being ended twice at a time.

    async def close(self):
        if self._closing:
            return
        self._closing = True
        await self._server.shutdown()   # Where this fails, the object is ended by half, and
        self._closing = False           # no more for use than before.
    """
    if (change.kind, change.detail) != ("flag", "True") or not ends_service(context, function):
        return False
    others = (each for each in own_methods(context) if not ends_service(context, each))
    return not any(refuses(each.body, change) for each in others)


def _undoing(
    context: TreeContext, function: FunctionNode, following: list[ast.stmt], change: Change
) -> tuple[ast.stmt, ast.expr] | None:
    """The statement that undoes a change, and the first that may keep it from being reached."""
    risks: list[ast.expr] = []
    for each in following:
        if change in undone(each):
            return (each, risks[0]) if risks else None
        attempt = as_try(each)
        if attempt is not None and change in (final := undone_in(attempt.finalbody)):
            return (final[change], risks[0]) if risks else None
        if change in undone_in([each]) or isinstance(each, _LEAVING):
            return None  # On some path; which one is not known here.
        if any(
            change in undone_by_helpers(context.resolver, handler.body, context.scopes[handler])
            for handler in (attempt.handlers if attempt else ())
        ):
            return None
        if not _is_caught(context, each) and not _is_way_out(each):
            risks += risks_in(context, function, [each])
    return None


def _is_way_out(statement: ast.stmt) -> bool:
    """Whether the function ends by a statement, if it runs: it sees to the change by itself."""
    return isinstance(statement, ast.If) and isinstance(statement.body[-1], ast.Return | ast.Raise)


def _is_caught(context: TreeContext, statement: ast.stmt) -> bool:
    """Whether nothing comes out of a statement, but for a cancellation perhaps."""
    attempt = as_try(statement)
    errors = RaisedErrors(context.resolver, context.scopes[statement])
    return attempt is not None and any(
        errors.takes_all(each) and not any(body_nodes(each, ast.Return))
        for each in attempt.handlers
    )


def is_undone_around(context: TreeContext, statement: ast.stmt, change: Change) -> bool:
    """Whether a `finally` or a handler around a statement undoes its change, too."""
    return any(change in undone_in(block) for block in context.ends(statement))


# What was taken, and is given back by a `finally` that may not be reached


def given_back_too_late(context: TreeContext, function: FunctionNode) -> Iterator[Skipped]:
    """`conn = await pool.acquire()`, something that suspends, and only then the `try`."""
    for statement, following in with_following(function):
        match statement:
            case ast.Assign([ast.Name(name)], ast.Await(ast.Call() as taken)):
                found = _giving_back(context, function, following, name, taken)
                if (
                    found
                    and not context.is_named_at_ends(statement, name)
                    and not _is_given_back_later(context, statement, found[1], name)
                    and not _is_ended_by_its_origin(context, statement, taken, found[0])
                ):
                    yield Skipped(statement, found[1], found[0], None)


def _is_given_back_later(context: TreeContext, taken: ast.stmt, risk: ast.expr, name: str) -> bool:
    """`stack.push_async_callback(pool.release, conn)`"""
    return any(
        _releases(context, ast.Expr(call), name) for call in callbacks_before(context, taken, risk)
    )


def _is_ended_by_its_origin(
    context: TreeContext, statement: ast.stmt, taken: ast.Call, given_back: ast.stmt
) -> bool:
    """Whether a block around ends what its own object has made, which has an end of its own, too.

    async with async_playwright() as p:
        browser = await p.chromium.launch()
        ...
        await browser.close()
    """
    origin = _root(taken.func)
    releasing = called(given_back)
    if releasing is None or _root(releasing.func) == origin:
        return False  # `pool.release(connection)`: the pool may wait for that.
    return any(
        isinstance(outer, ast.With | ast.AsyncWith)
        and any(
            isinstance(item.optional_vars, ast.Name) and item.optional_vars.id == origin
            for item in outer.items
        )
        for outer in context.around(statement)
    )


def _root(node: ast.expr) -> str:
    """The name that a path of attributes begins with."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _giving_back(
    context: TreeContext,
    function: FunctionNode,
    following: list[ast.stmt],
    name: str,
    taken: ast.Call,
) -> tuple[ast.stmt, ast.expr] | None:
    risks: list[ast.expr] = []
    for each in following:
        attempt = as_try(each)
        if attempt is not None:
            for last in attempt.finalbody:
                if _releases(context, last, name):
                    return (last, risks[0]) if risks else None
            return None
        if _is_back_in_pool(context, each, name, taken):
            return (each, risks[0]) if risks else None
        if isinstance(each, (ast.With, ast.AsyncWith, *_LEAVING)) or _gives_away(each, name):
            return None
        risks += risks_in(context, function, [each])
    return None


def _is_back_in_pool(context: TreeContext, statement: ast.stmt, name: str, taken: ast.Call) -> bool:
    """`pool.release(conn)`, without `finally`, of what `pool.acquire()` gave."""
    call = called(statement)
    return (
        call is not None
        and isinstance(call.func, ast.Attribute)
        and isinstance(taken.func, ast.Attribute)
        and ast.unparse(call.func.value) == ast.unparse(taken.func.value)
        and _releases(context, statement, name)
    )


def _releases(context: TreeContext, statement: ast.stmt, name: str) -> bool:
    call = called(statement) if isinstance(statement, ast.Expr) else None
    if call is None or not context.file.may_play(call.func, _RELEASERS):
        return False
    return any(is_name(each, name) for each in given_back(call))


def _gives_away(statement: ast.stmt, name: str) -> bool:
    """Whether a statement puts what is taken elsewhere, binds the name anew, or looks at it."""
    if isinstance(statement, ast.If | ast.While):
        return any(is_name(e, name) for e in own_nodes([statement]))
    for node in own_nodes([statement]):
        match node:
            case ast.Assign(targets, value):
                if any(is_name(each, name) for each in targets):
                    return True
                if is_name(value, name):
                    return True
    return False


# Clean-up that clean-up keeps from running


def skipped_by_cleanup(context: TreeContext, function: FunctionNode) -> Iterator[Skipped]:
    """What a `finally` or handler undoes behind something that may fail or be cancelled itself."""
    for made_in, block in _cleanups(context, function):
        made = _made(context, function, made_in)
        for position, statement in enumerate(block):
            if isinstance(statement, ast.Expr | ast.Assign | ast.Return):
                risks = risks_in(context, function, [statement])
                if risks:
                    for change, undoing in undone_in(block[position + 1 :]).items():
                        if change in made and change.kind != "flag":
                            yield Skipped(made[change], risks[0], undoing, change)
                            break
                    break


def _cleanups(
    context: TreeContext, function: FunctionNode
) -> Iterator[tuple[FunctionNode, list[ast.stmt]]]:
    """The blocks of a function that clean up, and the function whose changes they undo."""
    if function.name == "__aexit__":
        cls = class_node(context)
        for each in cls.body if cls else ():
            if isinstance(each, FunctionNode) and each.name == "__aenter__":
                yield each, function.body
    for node in body_nodes(function):
        attempt = as_try(node)
        if attempt is not None:
            yield function, attempt.finalbody
            for handler in attempt.handlers:
                if handler.type is not None and caught_by(context, handler.type).by_name:
                    yield function, handler.body


def _made(
    context: TreeContext, function: FunctionNode, made_in: FunctionNode
) -> dict[Change, ast.stmt]:
    scope = context.unit.scopes[function]
    return {
        change: node
        for node in body_nodes(made_in)
        if isinstance(node, ast.stmt)
        for change in changes(node)
        if change.kind == "lock" or outlives(change, scope)
    }
