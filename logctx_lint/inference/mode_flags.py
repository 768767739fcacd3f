"""Plain functions with a flag parameter that decides whether they return an awaitable.

    def call(self, text):
        if self._is_async:
            return self.acall(text)
        return self._call(text)

The flag is only ever tested, and both sides do the same work: they call functions that have the
same name but for a word that says which of the two it is, or one of them gives what the function's
own asynchronous twin makes of it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from logctx_lint.inference.narrowing import LEAVING, dotted
from logctx_lint.inference.types import NONE, Certainty, Unknown, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    body_nodes,
    child_blocks,
    is_none,
    last_name,
    own_nodes,
)

if TYPE_CHECKING:
    from logctx_lint.inference.summaries import Summaries

_KINDS_OF_FUNCTION = frozenset(
    {"", "a", "aio", "async", "asynchronous", "coro", "coroutine", "sync", "synchronous"}
)
"""Words in the names of functions that do the same work in one mode or the other."""
_RUNS = frozenset({"asyncio.events.AbstractEventLoop.is_running"})


def is_chosen_by_flag(summaries: Summaries, node: FunctionNode, scope: Scope) -> bool:
    """Whether a flag decides if a function returns an awaitable or does the same work itself."""
    for test, one, other in _choices(node.body):
        for chosen, rest in ((one, other), (other, one)):
            awaitables = list(_awaitables(summaries, chosen, scope))
            if not awaitables:
                continue
            if _asks_how_it_runs(summaries, test, scope):
                if not any(_awaitables(summaries, rest, scope)) and _gives_value(rest):
                    return True
            elif _are_flags(summaries, test, node, scope):
                if _gives_value(rest) and any(_is_twin(each, node.name) for each in awaitables):
                    return True
                plain = [last_name(call.func) for call in _plain_calls(summaries, rest, scope)]
                if any(_is_twin(each, name) for each in awaitables for name in plain):
                    return True
    return False


_Side = list[ast.AST]
"""The statements, or the expression, of one outcome of a test."""


def _choices(
    body: list[ast.stmt], following: Sequence[ast.stmt] = ()
) -> Iterator[tuple[ast.expr, _Side, _Side]]:
    """The tests of a function, with what is done as each comes out."""
    for index, statement in enumerate(body):
        behind = [*body[index + 1 :], *following]
        match statement:
            case ast.If(test, then, orelse):
                rest = orelse or (behind if isinstance(then[-1], LEAVING) else [])
                if rest:
                    yield test, [*then], [*rest]
            case ast.Return(ast.IfExp(test, then_value, other_value)):
                yield test, [then_value], [other_value]
        if not isinstance(statement, FunctionNode | ast.ClassDef):
            for block in child_blocks(statement):
                yield from _choices(block, behind)


def _awaitables(summaries: Summaries, side: _Side, scope: Scope) -> Iterator[ast.Call]:
    """The calls of which one side returns an awaitable."""
    for value in _given(side):
        for each in _behind(value, scope):
            if isinstance(each, ast.Call) and _certainty(summaries, each, scope) in (
                Certainty.YES,
                Certainty.LIKELY,
            ):
                yield each


def _given(side: _Side) -> Iterator[ast.expr]:
    for part in side:
        if isinstance(part, ast.expr):
            yield part
            continue
        for node in own_nodes([part]):
            if isinstance(node, ast.Return) and node.value:
                yield node.value


def _gives_value(side: _Side) -> bool:
    return any(not _is_none(value) for value in _given(side))


def _is_none(value: ast.expr) -> bool:
    return is_none(value)


def _behind(value: ast.expr, scope: Scope) -> Iterator[ast.expr]:
    """The value, and what a name that it is was bound to; what a cast is made of."""
    match value:
        case ast.Name():
            for binding in scope.reaching_name(value):
                if binding.kind == "value" and binding.value and not binding.path:
                    yield binding.value
        case ast.Call(args=[_, inner]) if last_name(value.func) == "cast":
            yield from _behind(inner, scope)
        case _:
            yield value


def _plain_calls(summaries: Summaries, side: _Side, scope: Scope) -> Iterator[ast.Call]:
    """The calls on the side that does the work itself."""
    if not _gives_value(side):
        return
    for part in side:
        for node in own_nodes([part]) if isinstance(part, ast.stmt) else all_nodes(part):
            if isinstance(node, ast.Call) and _certainty(summaries, node, scope) in (
                Certainty.NO,
                Certainty.UNKNOWN,
            ):
                yield node


def _certainty(summaries: Summaries, call: ast.Call, scope: Scope) -> Certainty:
    resolver = summaries.resolver
    return resolver.awaitability(resolver.type_of(call, scope)).certainty


def _is_twin(call: ast.Call, name: str) -> bool:
    """Whether a call does what a function of that name does, in the other mode."""
    return _kernel(last_name(call.func)) == _kernel(name) != ""


def _kernel(name: str) -> str:
    """The name of a function without the word, or the letter, that tells its kind."""
    words = [each for each in re.split("_+", name.lower()) if each not in _KINDS_OF_FUNCTION]
    return "_".join(words).removeprefix("a")


def _asks_how_it_runs(summaries: Summaries, test: ast.expr, scope: Scope) -> bool:
    """Whether a test asks for the kind of a function or value, or whether a loop runs."""
    return any(
        summaries.asks_whether_awaitable(each.func, scope)
        or not _RUNS.isdisjoint(summaries.resolver.names(each.func, scope))
        for each in all_nodes(test, ast.Call)
    )


def _are_flags(summaries: Summaries, test: ast.expr, node: FunctionNode, scope: Scope) -> bool:
    match test:
        case ast.BoolOp(_, values):
            return all(_are_flags(summaries, each, node, scope) for each in values)
        case ast.UnaryOp(ast.Not(), operand):
            return _are_flags(summaries, operand, node, scope)
        case ast.Compare(left, [ast.Is() | ast.Eq()], [ast.Constant(bool())]):
            return _are_flags(summaries, left, node, scope)
        case ast.Compare(ast.Name() | ast.Attribute() as left, [ast.Eq()], [ast.Constant(str())]):
            return _is_only_tested(dotted(left), node)
        case ast.Name() | ast.Attribute():
            members = members_of(summaries.resolver.type_of(test, scope))
            if any(each == summaries.resolver.builtin("bool") for each in members):
                return True
            if all(isinstance(each, Unknown) or each == NONE for each in members):
                return _is_only_tested(dotted(test), node)
    return False


def _is_only_tested(path: str, node: FunctionNode) -> bool:
    """Whether a function does nothing with a name but test it: it holds no data."""
    tested = {
        id(inner)
        for each in body_nodes(node)
        if isinstance(each, ast.If | ast.IfExp | ast.While | ast.Assert)
        for inner in all_nodes(each.test)
    }
    return bool(path) and all(
        id(each) in tested
        for each in body_nodes(node)
        if isinstance(each, ast.Name | ast.Attribute) and dotted(each) == path
    )
