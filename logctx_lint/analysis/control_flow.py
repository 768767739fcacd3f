"""Which contexts, spans and other items are still open, on every path through a function.

What an item is, and what opens and closes it, only the reader knows: here it is known which code
runs after which. Exceptions leave where the code says `raise`. They reach a handler from anywhere
in the body of its `try`, but what that body would have closed is not held against them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from logctx_lint.syntax.ast_walk import takes_the_rest

Item = TypeVar("Item")


class Reader(Protocol[Item]):
    """Tells the analysis what code opens and closes."""

    def after(self, node: ast.AST, items: frozenset[Item]) -> frozenset[Item] | None:
        """What is open behind an expression, a target or a simple statement; None: unreachable."""

    def where(self, test: ast.expr, truth: bool, items: frozenset[Item]) -> frozenset[Item]:
        """Which of the open items there can be where a condition has been true, or false."""


@dataclass(frozen=True, slots=True)
class Exit(Generic[Item]):
    """A `return` or `raise`, and what is open there."""

    node: ast.Return | ast.Raise
    items: frozenset[Item]


@dataclass(frozen=True, slots=True)
class Branch:
    """The branch on which an item stays open, while another one closes it."""

    node: ast.If | ast.match_case | ast.ExceptHandler
    truth: bool = True
    """Of an `if`: whether its condition holds."""


@dataclass(slots=True)
class _Ends(Generic[Item]):
    """What is open where the paths through some statements go on; None: no path does."""

    falls: frozenset[Item] | None = None
    breaks: frozenset[Item] | None = None
    continues: frozenset[Item] | None = None
    exits: list[Exit[Item]] = field(default_factory=list)

    def add(self, other: _Ends[Item]) -> None:
        """Join the ways out of another piece of code, but not where it falls through."""
        self.breaks = _joined(self.breaks, other.breaks)
        self.continues = _joined(self.continues, other.continues)
        self.exits += other.exits


class Paths(Generic[Item]):
    """Follows every path through a body, from nothing open."""

    def __init__(self, body: list[ast.stmt], reader: Reader[Item]) -> None:
        self._reader = reader
        self._closed: set[Item] = set()
        self.branches: dict[Item, Branch] = {}
        """Where an item first stays open on one branch only."""
        ends = self._block(body, frozenset())
        self.end = ends.falls
        """What is open where the last statement falls through; None: it never does."""
        self.exits = ends.exits

    def _after(self, node: ast.AST | None, items: frozenset[Item] | None) -> frozenset[Item] | None:
        if node is None or items is None:
            return items
        left = self._reader.after(node, items)
        self._closed |= items - (left or frozenset())
        return left

    def _closed_by(self, run: Callable[[], _Ends[Item]]) -> tuple[_Ends[Item], set[Item]]:
        """Run some code; also give what it closed on any of its paths."""
        before, self._closed = self._closed, set()
        ends = run()
        closed, self._closed = self._closed, before | self._closed
        return ends, closed

    def _block(self, body: Iterable[ast.stmt], items: frozenset[Item] | None) -> _Ends[Item]:
        ends: _Ends[Item] = _Ends(items)
        for statement in body:
            if ends.falls is None:
                break
            inner = self._statement(statement, ends.falls)
            ends.add(inner)
            ends.falls = inner.falls
        return ends

    def _statement(self, node: ast.stmt, items: frozenset[Item]) -> _Ends[Item]:
        match node:
            case ast.If():
                return self._if(node, items)
            case ast.For() | ast.AsyncFor() | ast.While():
                return self._loop(node, items)
            case ast.With() | ast.AsyncWith():
                inside: frozenset[Item] | None = items
                for item in node.items:
                    inside = self._after(item.optional_vars, self._after(item.context_expr, inside))
                return self._block(node.body, inside)
            case ast.Match():
                return self._match(node, items)
            case ast.Return() | ast.Raise():
                left = self._after(node, items)
                return _Ends(exits=[] if left is None else [Exit(node, left)])
            case ast.Break():
                return _Ends(breaks=items)
            case ast.Continue():
                return _Ends(continues=items)
            case ast.Assert(test):
                left = self._after(test, items)
                return _Ends(None if left is None else self._reader.where(test, True, left))
        if isinstance(node, ast.Try) or type(node).__name__ == "TryStar":
            return self._try(node, items)  # type: ignore[arg-type]
        return _Ends(self._after(node, items))

    def _if(self, node: ast.If, items: frozenset[Item]) -> _Ends[Item]:
        tested = self._after(node.test, items)
        if tested is None:
            return _Ends()
        ways = []
        for truth, block in ((True, node.body), (False, node.orelse)):
            start = self._reader.where(node.test, truth, tested)
            ways.append(self._closed_by(lambda b=block, s=start: self._block(b, s)))  # type: ignore[misc]
        (body, in_body), (orelse, in_orelse) = ways
        self._note(body.falls, in_orelse, Branch(node, True))
        self._note(orelse.falls, in_body, Branch(node, False))
        body.add(orelse)
        body.falls = _joined(body.falls, orelse.falls)
        return body

    def _note(self, items: frozenset[Item] | None, closed: set[Item], branch: Branch) -> None:
        """Remember the branch that leaves open what its sibling closes."""
        for item in (items or frozenset()) & closed:
            self.branches.setdefault(item, branch)

    def _loop(
        self, node: ast.For | ast.AsyncFor | ast.While, items: frozenset[Item]
    ) -> _Ends[Item]:
        test = node.test if isinstance(node, ast.While) else None
        start = items if isinstance(node, ast.While) else self._after(node.iter, items)

        def turn(before: frozenset[Item] | None) -> _Ends[Item]:
            if test is None:
                return self._block(node.body, self._after(node.target, before))  # type: ignore[union-attr]
            tested = self._after(test, before)
            return self._block(node.body, tested and self._reader.where(test, True, tested))

        first, closed = self._closed_by(lambda: turn(start))
        # A second turn begins with what the first leaves open; a third finds nothing new.
        turns = turn(_joined(start, first.falls, first.continues))
        done = _joined(start, turns.falls, turns.continues)
        if done is not None and start is not None:
            # What the body may close is not held against a loop that ends without doing so.
            done -= start & closed
        if isinstance(test, ast.Constant) and test.value:
            done = None
        elif test is not None and done is not None:
            done = self._reader.where(test, False, done)
        ends = self._block(node.orelse, done)
        ends.falls = _joined(ends.falls, turns.breaks)
        ends.exits += turns.exits
        return ends

    def _match(self, node: ast.Match, items: frozenset[Item]) -> _Ends[Item]:
        start = self._after(node.subject, items)
        ends: _Ends[Item] = _Ends()
        ways = []
        for case in node.cases:
            inside = self._after(case.guard, start)
            ways.append(self._closed_by(lambda c=case, i=inside: self._block(c.body, i)))  # type: ignore[misc]
        for case, (way, _) in zip(node.cases, ways, strict=True):
            others = {item for other, closed in ways if other is not way for item in closed}
            self._note(way.falls, others, Branch(case))
            ends.add(way)
            ends.falls = _joined(ends.falls, way.falls)
        if not takes_the_rest(node.cases[-1]):
            ends.falls = _joined(ends.falls, start)
        return ends

    def _try(self, node: ast.Try, items: frozenset[Item]) -> _Ends[Item]:
        ends, closed = self._closed_by(lambda: self._block(node.body, items))
        orelse, closed_behind = self._closed_by(lambda: self._block(node.orelse, ends.falls))
        ends.add(orelse)
        ends.falls = orelse.falls
        for handler in node.handlers:
            inner = self._block(handler.body, self._after(handler.type, items - closed))
            self._note(inner.falls, closed_behind, Branch(handler))
            ends.add(inner)
            ends.falls = _joined(ends.falls, inner.falls)
        return self._finally(node.finalbody, ends) if node.finalbody else ends

    def _finally(self, body: list[ast.stmt], before: _Ends[Item]) -> _Ends[Item]:
        """Every way out of a `try` goes through its `finally`."""
        ends = self._block(body, before.falls)
        for name in ("breaks", "continues"):
            through = self._block(body, getattr(before, name))
            ends.add(through)
            setattr(ends, name, _joined(getattr(ends, name), through.falls))
        for exit_ in before.exits:
            through = self._block(body, exit_.items)
            ends.add(through)
            if through.falls is not None:
                ends.exits.append(Exit(exit_.node, through.falls))
        return ends


def _joined(*ways: frozenset[Item] | None) -> frozenset[Item] | None:
    """What may be open where several ways meet."""
    open_ways = [way for way in ways if way is not None]
    return frozenset().union(*open_ways) if open_ways else None
