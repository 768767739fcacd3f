"""Clean-up in the callers of a function when the call is cancelled, in terms of the function.

async def _fetch(self, item):           async def _worker(self):
    try:                                    job = await self._queue.get()
        ...                                 try:
                                                await self._fetch(job)
                                            finally:
                                                job.future.cancel()  # `item.future` over there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.call_sites import calls_of
from logctx_lint.analysis.context import TreeContext, as_try
from logctx_lint.analysis.exception_handlers import catches_asyncio
from logctx_lint.inference.passed_arguments import argument_for
from logctx_lint.inference.resolver import Resolver
from logctx_lint.inference.types import UNKNOWN, FunctionType
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, last_name, own_nodes

Site = tuple[ast.Call, Scope, FunctionType]
"""A call, the scope it is read in, and what it calls."""


def call_sites(context: TreeContext, function: FunctionNode) -> list[Site]:
    """The calls in the package that reach a function of the unit; none where its file hands it to
    others, or may call it by another object."""
    called = context.unit.scopes[function].function
    if called is None:
        return []
    file, resolver = context.file, context.resolver
    uses = {
        node
        for node in all_nodes(file.tree)
        if isinstance(node, ast.Name | ast.Attribute)
        and last_name(node) == called.name
        and isinstance(node.ctx, ast.Load)
    }
    known = [
        call
        for call, scope in resolver.references.calls(called.name, called.module)
        if scope.module == file.module and resolver.type_of(call.func, scope) != UNKNOWN
    ]
    return list(calls_of(resolver, called)) if len(known) == len(uses) else []


def cleanup_around(context: TreeContext, call: ast.Call, scope: Scope) -> Iterator[list[ast.stmt]]:
    """The `finally` blocks and handlers of cancellations around a call that is awaited there."""
    node = scope.node
    for statement in body_nodes(node) if isinstance(node, FunctionNode) else ():
        attempt = as_try(statement)
        if attempt is not None and _awaits(attempt.body, call):
            yield attempt.finalbody
            for handler in attempt.handlers:
                if catches_asyncio(context.file, handler, scope):
                    yield handler.body


def _awaits(body: list[ast.stmt], call: ast.Call) -> bool:
    awaits = own_nodes(body, ast.Await)
    return any(call in own_nodes([each]) for each in awaits)


def said_by_caller(
    resolver: Resolver, callee: FunctionType, call: ast.Call, node: ast.expr
) -> str | None:
    """The text of what an expression of a callee is for the caller; None if only the callee has
    it, or the call leaves a parameter out."""
    function = callee.function.implementation
    tree = function.tree()
    if tree is None:
        return None
    words = _Words(resolver, callee, call, Scope.of_body(function, tree))
    said = words.visit(ast.parse(ast.unparse(node), mode="eval").body)
    return ast.unparse(said) if words.are_known else None


class _Words(ast.NodeTransformer):
    """Puts what a call passes in the place of the parameters."""

    def __init__(
        self, resolver: Resolver, callee: FunctionType, call: ast.Call, scope: Scope
    ) -> None:
        self._resolver, self._callee, self._call, self._scope = resolver, callee, call, scope
        self.are_known = True

    def visit_Name(self, node: ast.Name) -> ast.expr:
        bindings = self._scope.bindings.get(node.id, ())
        if not bindings:
            return node
        passed = argument_for(self._resolver, self._call, self._callee, node.id)
        if passed is None or any(each.kind != "parameter" for each in bindings):
            self.are_known = False
            return node
        return passed
