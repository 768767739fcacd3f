"""Type narrowing by `isinstance` tests."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from logctx_lint.syntax.ast_walk import child_blocks, end_of, start_of

Position = tuple[int, int]
"""Line from 1, column in bytes, as in `ast`."""

LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)
"""Statements behind which the rest of a block does not run."""


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of code in which a name is an instance of `classes`."""

    start: Position
    end: Position
    classes: ast.expr
    is_negative: bool = False
    """It is none of `classes`."""


_Known = tuple[ast.Call, bool]
"""An `isinstance` call, and what it has given."""


@dataclass
class Narrowings:
    """The regions of one function in which tests narrow dotted names."""

    regions: dict[str, list[Region]] = field(default_factory=dict)
    assigned: dict[str, list[Position]] = field(default_factory=dict)
    """Where the attributes among these names get other values."""

    def at(self, name: str, position: Position) -> Region | None:
        """The innermost region around `position` that narrows `name`."""
        around = [r for r in self.regions.get(name, ()) if r.start <= position < r.end]
        if not around:
            return None
        region = max(around, key=lambda found: found.start)
        changes = self.assigned.get(name, ())
        return None if any(region.start < at <= position for at in changes) else region

    def read(self, body: list[ast.stmt]) -> None:
        """Note what the statements of a block say, and of the blocks inside."""
        for statement in body:
            self._statement(statement, end_of(body[-1]))
            for block in child_blocks(statement):
                self.read(block)

    def _statement(self, node: ast.stmt, end: Position) -> None:
        match node:
            case ast.Assert(test):
                self._regions(_known(test, True), end_of(node), end)
            case ast.If(test, body, orelse):
                self._regions(_known(test, True), start_of(body[0]), end_of(body[-1]))
                if orelse:
                    self._regions(_known(test, False), start_of(orelse[0]), end_of(orelse[-1]))
                elif isinstance(body[-1], LEAVING):
                    self._regions(_known(test, False), end_of(node), end)
            case ast.While(test, body):
                self._regions(_known(test, True), start_of(body[0]), end_of(body[-1]))
            case ast.Assign(targets):
                self._assignment(targets, node)
            case ast.AnnAssign(target) | ast.AugAssign(target):
                self._assignment([target], node)

    def _regions(self, known: Iterable[_Known], start: Position, end: Position) -> None:
        for test, is_instance in known:
            name = dotted(test.args[0])
            if name:
                found = Region(start, end, test.args[1], not is_instance)
                self.regions.setdefault(name, []).append(found)

    def _assignment(self, targets: list[ast.expr], node: ast.stmt) -> None:
        for target in targets:
            if isinstance(target, ast.Attribute):
                self.assigned.setdefault(dotted(target), []).append(end_of(node))


def _known(test: ast.expr, outcome: bool) -> Iterator[_Known]:
    """What `isinstance` calls have given where a condition has come out so."""
    match test:
        case ast.Call(ast.Name("isinstance"), [_, _], []):
            yield test, outcome
        case ast.UnaryOp(ast.Not(), operand):
            yield from _known(operand, not outcome)
        case ast.BoolOp(operator, values) if isinstance(operator, ast.And) is outcome:
            for value in values:
                yield from _known(value, outcome)


def dotted(node: ast.expr) -> str:
    """`a.b.c` of such an expression, empty for any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (outer := dotted(node.value)):
        return f"{outer}.{node.attr}"
    return ""
