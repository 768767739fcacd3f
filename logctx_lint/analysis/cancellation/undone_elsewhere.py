"""Changes that are undone outside the function: by its callers, or by a registered callback.

async def run(self):                    async def handle(self, job):
    try:                                    self.jobs.add(job)
        await self._run()                   stack.callback(self.jobs.discard, job)
    finally:
        self.busy = False                   # Whoever leaves the stack does that, too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.callback_arguments import call_made_of, is_partial, taken
from logctx_lint.analysis.cancellation.cleanup_of_callers import (
    call_sites,
    cleanup_around,
    said_by_caller,
)
from logctx_lint.analysis.cancellation.state_changes import Change, undone, undone_in
from logctx_lint.analysis.context import TreeContext
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.resolver import Resolver
from logctx_lint.inference.types import FunctionType, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import body_nodes, own_nodes, start_of

_AWAITED_CALLBACKS = frozenset({"contextlib.AsyncExitStack.push_async_callback"})


def is_undone_elsewhere(
    context: TreeContext, function: FunctionNode, made: ast.stmt, risk: ast.AST, change: Change
) -> bool:
    """Whether a change is undone by a callback that is set before something may fail, or by all
    who call the function where that is cut short."""
    scope = context.unit.scopes[function]
    for call in callbacks_before(context, made, risk):
        if change in undone(ast.Expr(call)) or change in _undone_by(context.resolver, call, scope):
            return True
    sites = call_sites(context, function)
    return bool(sites) and all(
        (said := _for_caller(context.resolver, callee, call, change)) is not None
        and any(
            said in undone_in(block) or said in undone_by_helpers(context.resolver, block, where)
            for block in cleanup_around(context, call, where)
        )
        for call, where, callee in sites
    )


def callbacks_before(context: TreeContext, made: ast.stmt, risk: ast.AST) -> Iterator[ast.Call]:
    """The calls that are handed over to be made later, on every path from a statement to another
    node: `self.jobs.discard(job)` of `stack.callback(self.jobs.discard, job)`."""
    function = context.function_of(made)
    blocks = {made, *context.around(made)}
    for call in body_nodes(function) if isinstance(function, FunctionNode) else ():
        if isinstance(call, ast.Call) and start_of(call) < start_of(risk):
            statement = context.statement_of(call)
            if statement and context.parent(statement) in blocks:
                yield from _handed_over(context, call)


def _handed_over(context: TreeContext, call: ast.Call) -> Iterator[ast.Call]:
    if Role.CALLBACK_TAKER not in context.roles(call) and _AWAITED_CALLBACKS.isdisjoint(
        context.names(call)
    ):
        return
    for each in taken(context.file, call, context.scopes[call]):
        match each.node:
            case ast.Lambda(body=ast.Call() as made):
                yield made
            case ast.Call(_, [function, *given], keywords) if is_partial(context, each.node):
                yield ast.Call(function, given, keywords)
            case ast.Name() | ast.Attribute() as function if function in call.args:
                yield call_made_of(call, function)


def undone_by_helpers(resolver: Resolver, block: list[ast.stmt], scope: Scope) -> Iterator[Change]:
    """What functions of the project undo that a block calls."""
    for node in own_nodes(block):
        if isinstance(node, ast.Call):
            yield from _undone_by(resolver, node, scope)


def _undone_by(resolver: Resolver, call: ast.Call, scope: Scope) -> Iterator[Change]:
    """What functions of the project undo that a call reaches, in the words of who calls."""
    for callee in members_of(resolver.type_of(call.func, scope)):
        if isinstance(callee, FunctionType) and not callee.function.module.is_stub:
            node = callee.function.implementation.tree()
            for change in undone_in(node.body) if node else ():
                said = _for_caller(resolver, callee, call, change)
                if said is not None:
                    yield said


def _for_caller(
    resolver: Resolver, callee: FunctionType, call: ast.Call, change: Change
) -> Change | None:
    """A change that a callee makes or undoes, as its caller would write it."""
    said = []
    for text in (change.place, change.detail or "None"):
        given = said_by_caller(resolver, callee, call, ast.parse(text, mode="eval").body)
        if given is None:
            return None
        said.append(given)
    return Change(said[0], change.kind, said[1] if change.detail else "")
