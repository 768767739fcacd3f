"""Which `with` and `try` blocks of a wrapper have ended when the call inside has only returned."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from logctx_lint.analysis.units import File
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    assignments,
    body_nodes,
    child_blocks,
    holding,
    is_name,
    own_nodes,
    returned_values,
)
from logctx_lint.syntax.excerpts import one_line

Callee = Callable[[ast.expr], bool]
"""Tells whether an expression is the function that the wrapper stands for."""
_HARMLESS = frozenset({Role.CONTEXT_LOGGER, Role.CLOCK})
"""Roles of what may be called beside the function, in a `try` whose handlers are for that alone."""
_RAISED_BY_CALLS = "TypeError"
"""What even the call of an `async def` raises, if its arguments do not fit."""


def by_name(names: set[str]) -> Callee:
    return lambda node: isinstance(node, ast.Name) and node.id in names


def kept_in(receiver: str, attributes: set[str]) -> Callee:
    return lambda node: (
        isinstance(node, ast.Attribute)
        and node.attr in attributes
        and is_name(node.value, receiver)
    )


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A plain function that calls another one and gives what that gives."""

    file: File
    node: FunctionNode
    scope: Scope
    is_callee: Callee

    def left(self) -> str | None:
        """What the wrapper is out of when it returns, in words, if that holds for every call."""
        calls = [each for each in body_nodes(self.node, ast.Call) if self.is_callee(each.func)]
        found = [self._left_of(call) for call in calls]
        return found[0] if found and all(found) else None

    def keeps(self) -> bool:
        """Whether the wrapper keeps what the call gives, and gives that to later callers."""
        nodes = list(body_nodes(self.node))
        calls = {each for each in nodes if isinstance(each, ast.Call) and self.is_callee(each.func)}
        puts = list(assignments(nodes))
        made = {ast.unparse(to) for to, value in puts if value in calls}
        kept = {*made, *map(ast.unparse, calls)}
        places = {
            ast.unparse(holding(to))
            for to, value in puts
            if isinstance(to, ast.Subscript | ast.Attribute) and ast.unparse(value) in kept
        }
        taken = {ast.unparse(to) for to, value in puts if _is_from(value, places)}
        returned = list(returned_values(self.node))
        return any(_is_from(each, places) or ast.unparse(each) in taken for each in returned)

    def _left_of(self, call: ast.Call) -> str | None:
        statements = list(self._path(self.node.body, call))
        if not statements or not self._is_handed_on(statements[-1], call):
            return None
        for outer, block in zip(reversed(statements[:-1]), reversed(statements[1:]), strict=True):
            left = self._leaves(outer, block, call)
            if left:
                return left
        return self._times(call)

    def _path(self, body: list[ast.stmt], call: ast.Call) -> Iterator[ast.stmt]:
        """The statements that a call stands in, the outermost first."""
        for statement in body:
            if any(each is call for each in own_nodes([statement])):
                yield statement
                for block in child_blocks(statement):
                    yield from self._path(block, call)

    def _is_handed_on(self, statement: ast.stmt, call: ast.Call) -> bool:
        """Whether the wrapper does nothing with what the call gives but return it."""
        match statement:
            case ast.Return(value):
                return value is call
            case ast.Assign([ast.Name(name)], value) if value is call:
                return self._is_only_returned(name)
        return False

    def _is_only_returned(self, name: str) -> bool:
        nodes = list(body_nodes(self.node))
        used = {each for each in nodes if is_name(each, name)}
        returned = {each.value for each in nodes if isinstance(each, ast.Return)}
        shown = {
            each
            for node in nodes
            if isinstance(node, ast.Call) and self._is_harmless(node)
            for each in all_nodes(node)
        }
        left = {each for each in used if isinstance(each.ctx, ast.Load)} - shown
        return bool(left) and left <= returned

    def _leaves(self, outer: ast.stmt, inner: ast.stmt, call: ast.Call) -> str | None:
        if isinstance(outer, ast.With):
            text = one_line(outer.items[0].context_expr)
            return f"leaves its `with {text}` (line {outer.lineno})"
        if isinstance(outer, ast.Try):
            if inner in outer.body and self._guards_call_alone(outer, call):
                return f"leaves its `try` (line {outer.lineno})"
            if outer.finalbody and inner not in outer.finalbody and _does_something(outer):
                return f"runs its `finally` (line {outer.finalbody[0].lineno})"
        return None

    def _guards_call_alone(self, block: ast.Try, call: ast.Call) -> bool:
        """Whether the handlers are for what the called function raises, and nothing else can."""
        if not block.handlers or any(_concerns_call(each) for each in block.handlers):
            return False
        return not any(
            isinstance(each, ast.Subscript | ast.Raise | ast.Assert | ast.Import | ast.ImportFrom)
            or (isinstance(each, ast.Call) and each is not call and not self._is_harmless(each))
            for each in body_nodes(block)
        )

    def _is_harmless(self, call: ast.Call) -> bool:
        if isinstance(call.func, ast.Name) and call.func.id in ("print", "repr", "str"):
            return True
        return bool(self.file.roles(call.func, self.scope) & _HARMLESS)

    def _times(self, call: ast.Call) -> str | None:
        """Whether the time of the call is taken: by the clock before it, from the clock after."""
        nodes = list(body_nodes(self.node))
        readings = {
            target.id: value
            for target, value in assignments(nodes)
            if isinstance(target, ast.Name) and self._reads_clock(value)
        }
        for node in nodes:
            match node:
                case ast.BinOp(left, ast.Sub(), ast.Name(begun)) if node.lineno > call.lineno:
                    before = readings.get(begun)
                    after = readings.get(left.id) if isinstance(left, ast.Name) else left
                    if before is None or after is None or before.lineno >= call.lineno:
                        continue
                    if after.lineno > call.lineno and self._reads_clock(after):
                        return f"reads its clock again (line {after.lineno})"
        return None

    def _reads_clock(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Call) and Role.CLOCK in self.file.roles(node.func, self.scope)


def _is_from(value: ast.expr, places: set[str]) -> bool:
    """Whether a value is one of the places, or is taken out of it: `memo[key]`, `memo.get(key)`."""
    match value:
        case ast.Subscript(holder) | ast.Call(ast.Attribute(holder, "get")):
            return ast.unparse(holder) in places
    return isinstance(value, ast.Attribute) and ast.unparse(value) in places


def _does_something(block: ast.Try) -> bool:
    return not all(isinstance(each, ast.Pass | ast.Delete) for each in block.finalbody)


def _concerns_call(handler: ast.ExceptHandler) -> bool:
    """Whether a handler is for what a call itself may raise, or does nothing at all."""
    if isinstance(handler.body[0], ast.Raise) and handler.body[0].exc is None:
        return True
    return handler.type is not None and any(
        is_name(each, _RAISED_BY_CALLS) for each in all_nodes(handler.type)
    )
