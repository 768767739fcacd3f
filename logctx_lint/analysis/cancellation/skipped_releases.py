"""Locks and semaphores that a function releases for another one, behind something that may fail.

async def submit(self, job):                async def _run(self, job):
    await self._slots.acquire()                 await job.run()             # Where this fails,
    self._start(self._run(job))                 self._slots.release()       # a slot is lost.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.cancellation.skipped_cleanup import Skipped, risks_in
from logctx_lint.analysis.cancellation.state_changes import called
from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.deferreds.completions import is_own
from logctx_lint.analysis.deferreds.unset_events import gets_out
from logctx_lint.inference.types import Instance, members_of
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import own_nodes

ONE_AT_A_TIME = frozenset(
    {"asyncio.locks.Condition", "asyncio.locks.Lock", "twisted.internet.defer.DeferredLock"}
)
"""Locks that one holds alone."""
LOCKS = ONE_AT_A_TIME | {
    "asyncio.locks.BoundedSemaphore",
    "asyncio.locks.Semaphore",
    "twisted.internet.defer.DeferredSemaphore",
}


def skipped_releases(context: TreeContext, function: FunctionNode) -> Iterator[Skipped]:
    """Releases of a method that neither takes the object's lock nor names it before.

    What `__aenter__` takes is looked at by others, and what a caller handed over is the caller's.
    """
    if function.name == "__aexit__":
        return
    for position, statement in enumerate(function.body):
        lock = _released(statement)
        before = function.body[:position]
        if lock is None or not before or not is_lock(context, lock):
            continue
        if any(_names(each, ast.unparse(lock)) for each in before):
            continue
        for each in before:
            risks = risks_in(context, function, [each])
            failing = (node for node in risks if gets_out(context, node, each)[0])
            risk = next(failing, None)
            if risk is not None:
                yield Skipped(statement, risk, statement, None)
                break


def _released(statement: ast.stmt) -> ast.expr | None:
    call = called(statement) if isinstance(statement, ast.Expr) else None
    match call:
        case ast.Call(ast.Attribute(lock, "release"), [], []) if is_own(lock):
            return lock
    return None


def is_lock(context: TreeContext, node: ast.expr, among: frozenset[str] = LOCKS) -> bool:
    """Whether an expression is a lock for certain, of one of some classes."""
    members = members_of(context.type_of(node))
    return all(isinstance(each, Instance) and each.cls.qualified_name in among for each in members)


def _names(statement: ast.stmt, text: str) -> bool:
    return any(
        isinstance(each, ast.expr) and ast.unparse(each) == text for each in own_nodes([statement])
    )
