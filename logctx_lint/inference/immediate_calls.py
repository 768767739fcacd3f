"""Library coroutines that never wait, so that an `await` of one cannot be cancelled.

await self._stack.__aenter__()          # Of an `AsyncExitStack`: it only gives itself.

self._queue = asyncio.Queue()
await self._queue.put(item)             # A queue without a size is never full.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.config.vocabulary import Role
from logctx_lint.inference import annotation_types
from logctx_lint.inference.summaries import Summaries
from logctx_lint.inference.types import Instance, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.syntax.ast_walk import is_none


def is_immediate(summaries: Summaries, func: ast.expr, scope: Scope) -> bool:
    """Whether a library's coroutine function is done before it gives control away."""
    roles = summaries.roles(func, scope)
    if Role.QUEUE_PUTTER in roles and isinstance(func, ast.Attribute):
        return _is_unbounded(summaries, func.value, scope)
    return Role.IMMEDIATE in roles


def _is_unbounded(summaries: Summaries, queue: ast.expr, scope: Scope) -> bool:
    """Whether a queue was made without a size, wherever it may come from."""
    values = list(_values(summaries, queue, scope))
    made = [each for each in values if each is None or not is_none(each)]
    return bool(made) and all(
        isinstance(each, ast.Call) and not each.args and not each.keywords for each in made
    )


def _values(summaries: Summaries, node: ast.expr, scope: Scope) -> Iterator[ast.expr | None]:
    """What is assigned to a local name or to an attribute of a known class; None: not known."""
    match node:
        case ast.Name():
            for binding in scope.reaching_name(node):
                yield binding.value if binding.kind == "value" and not binding.path else None
        case ast.Attribute(holder, name):
            for member in members_of(summaries.resolver.type_of(holder, scope)):
                if not isinstance(member, Instance):
                    yield None
                    continue
                for ancestor, _ in summaries.resolver.classes.ancestors(member.cls):
                    for variable in ancestor.facts.variables.get(name, ()):
                        if variable.value or not variable.annotation:
                            yield annotation_types.parse_expression(variable.value)
