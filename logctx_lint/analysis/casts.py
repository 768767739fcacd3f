"""`cast(...)` of a call result: whether the code or the cast is right about its being awaitable.

def read(self) -> str:
    return cast(str, self._client.read())    # In the mode that this half of the library has.
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.possible_values import possible_values
from logctx_lint.analysis.units import Unit
from logctx_lint.inference.annotation_types import special_form
from logctx_lint.inference.types import FunctionType, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.syntax.ast_walk import last_name


def said_otherwise(unit: Unit) -> frozenset[ast.expr]:
    """The calls that a cast says give something else, which may well be so.

    Where it can be awaited, what an `async def` gives is nothing else.
    """
    return frozenset(
        value
        for call, scope in unit.nodes(ast.Call)
        if last_name(call.func) == "cast" and len(call.args) == 2
        for value in possible_values(call)
        if special_form(unit.file.resolver.names(call.func, scope)) == "cast"
        and not _is_forgotten(unit, value, scope)
    )


def _is_forgotten(unit: Unit, value: ast.expr, scope: Scope) -> bool:
    """Whether the call of an `async def` stands in another one, where it should be awaited."""
    if not scope.function or not scope.function.facts.is_async:
        return False
    callees = (
        members_of(unit.file.resolver.type_of(value.func, scope))
        if isinstance(value, ast.Call)
        else ()
    )
    return bool(callees) and all(
        isinstance(each, FunctionType) and each.function.facts.is_async for each in callees
    )
