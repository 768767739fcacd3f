"""Lazy initialization: a shared value is made only where there is none, `if self._task is None`."""

from __future__ import annotations

import ast

from logctx_lint.analysis.deferreds.shared_state import LOOK_UPS
from logctx_lint.analysis.kept_places import place_text
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import (
    assigned,
    assignments,
    body_nodes,
    end_of,
    is_inside,
    own_nodes,
    start_of,
)

_PLACES = (ast.Name, ast.Attribute, ast.Subscript)
_LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)


def puts_where_nothing_is(place: ast.expr, function: FunctionNode) -> bool:
    """Whether a function puts something new into a place only if nothing is there yet.

    One that always puts something new there, before or after it waits, shares nothing by that.
    """
    text = place_text(place)
    checks = _PresenceChecks(text, function)
    return any(
        checks.is_conditional(node)
        for node in body_nodes(function)
        if _puts(node, place, text, checks)
    )


def _puts(node: ast.AST, place: ast.expr, text: str, checks: _PresenceChecks) -> bool:
    match node:
        case ast.Call(ast.Attribute(holder, "setdefault")):
            return isinstance(place, ast.Subscript) and place_text(place.value) == place_text(
                holder
            )
    put = [value for target, value in assigned(node) if place_text(target) == text]
    # `self.value = await self.value` puts the result there.
    return bool(put) and not any(
        isinstance(value, ast.Constant)
        or any(
            isinstance(each, ast.Await | ast.Yield) and each.value and checks.at(each.value)
            for each in own_nodes([value])
        )
        for value in put
    )


class _PresenceChecks:
    """The conditions by which a function checks whether something is in a place."""

    def __init__(self, text: str, function: FunctionNode) -> None:
        self._function = function
        self._texts = {text, text.removesuffix("[]")}
        self._owner = text.removesuffix("[]").rpartition(".")[0]
        self._names = {
            target.id
            for target, value in assignments(body_nodes(function))
            if isinstance(target, ast.Name) and self._is_place(value)
        }

    def _is_place(self, node: ast.expr) -> bool:
        match node:
            case ast.Call(ast.Attribute(holder, name)) if name in LOOK_UPS:
                return place_text(holder) in self._texts
        return place_text(node) in self._texts

    def at(self, node: ast.AST) -> bool:
        """Whether an expression looks at the place, or at a name that was taken from it."""
        return any(
            (isinstance(each, ast.Name) and each.id in self._names)
            or (isinstance(each, _PLACES) and place_text(each) in self._texts)
            for each in own_nodes([node])
        )

    def _asks_for_the_state(self, test: ast.expr) -> bool:
        """Whether a condition is about the same object: `if self._state is State.STOPPED`."""
        return any(
            ast.unparse(each.value) == self._owner for each in own_nodes([test], ast.Attribute)
        )

    def is_conditional(self, put: ast.AST) -> bool:
        """Whether it depends on what is in the place that `put` runs."""
        match put:
            case ast.Call():
                return True
            case ast.Assign(_, value) | ast.AnnAssign(value=ast.expr() as value):
                if isinstance(value, ast.BoolOp | ast.IfExp) and self.at(value):
                    return True
        return any(self._decides(each, put) for each in body_nodes(self._function))

    def _decides(self, node: ast.AST, put: ast.AST) -> bool:
        match node:
            case ast.If(test, body, orelse) if self.at(test):
                return is_inside(put, [*body, *orelse]) or (
                    (_leaves(body) or _leaves(orelse)) and start_of(put) > start_of(node)
                )
            case ast.If(test, body, orelse) if self._asks_for_the_state(test):
                return is_inside(put, [*body, *orelse])
            case ast.While(test, body) if self.at(test):
                return is_inside(put, body) or start_of(put) > start_of(node)
            case ast.Try(body, handlers):
                # One that raises the failure again is no look-up that finds nothing.
                blocks = [
                    each.body for each in handlers if not isinstance(each.body[-1], ast.Raise)
                ]
                inside = [each for block in blocks for each in block]
                is_after = start_of(put) > end_of(node)
                return any(map(self.at, body)) and (
                    is_inside(put, inside) or (_leaves(body) and is_after)
                )
        return False


def _leaves(body: list[ast.stmt]) -> bool:
    return bool(body) and isinstance(body[-1], _LEAVING)
