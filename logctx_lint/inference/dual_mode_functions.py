"""Plain functions that either do the work themselves or return an awaitable for it.

    def stop(self):
        if self.loop.is_running():
            return self._stop()
        return self.loop.run_until_complete(self._stop())

Callers know which mode they are in, so that one of them may drop what it gets.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from logctx_lint.inference.mode_flags import is_chosen_by_flag
from logctx_lint.inference.prefilter import PLAIN
from logctx_lint.inference.types import Certainty
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    body_nodes,
    call_arguments,
    child_blocks,
    own_nodes,
)

if TYPE_CHECKING:
    from logctx_lint.inference.summaries import Summaries

_AWAITABLE = frozenset({Certainty.YES, Certainty.LIKELY, Certainty.SOME})


def has_two_modes(summaries: Summaries, node: FunctionNode, scope: Scope) -> bool:
    """Whether a plain function hands the same work on, or does it, depending on something."""
    leaves = [
        leaf
        for each in body_nodes(node, ast.Return)
        if each.value
        for leaf in _leaves(each.value, scope)
    ]
    awaitable = [each for each in leaves if _may_be_awaitable(summaries, each, scope)]
    if not awaitable:
        return False
    if _calls_one(summaries, awaitable, scope) or is_chosen_by_flag(summaries, node, scope):
        return True
    work = {text for each in awaitable for text in _work(each, scope)}
    awaiting = {id(inner) for each in awaitable for inner in all_nodes(each)}
    for call in _elsewhere(node, leaves, awaiting):
        if work & set(_handed_on(call)) and not _gives_awaitable(summaries, call, scope):
            return True
    return False


def _leaves(value: ast.expr, scope: Scope) -> Iterator[ast.expr]:
    """The expressions that a returned value may be that of."""
    match value:
        case ast.IfExp(_, body, orelse):
            yield from _leaves(body, scope)
            yield from _leaves(orelse, scope)
        case ast.BoolOp(_, values):
            for each in values:
                yield from _leaves(each, scope)
        case _:
            yield value


def _may_be_awaitable(summaries: Summaries, leaf: ast.expr, scope: Scope) -> bool:
    if isinstance(leaf, PLAIN):
        return False  # Without asking what is in a large display.
    resolver = summaries.resolver
    if resolver.awaitability(resolver.type_of(leaf, scope)).certainty in _AWAITABLE:
        return True
    # What a function that was passed in gives.
    return any(
        isinstance(each, ast.Call)
        and isinstance(each.func, ast.Name)
        and _is_parameter(each.func.id, scope)
        for each in _made_of(leaf, scope)
    )


def _is_parameter(name: str, scope: Scope) -> bool:
    bindings = scope.bindings.get(name, ())
    return len(bindings) == 1 and bindings[0].kind == "parameter"


def _made_of(leaf: ast.expr, scope: Scope) -> Iterator[ast.expr]:
    """The expression, and what a name that it is was bound to."""
    yield leaf
    if isinstance(leaf, ast.Name):
        for binding in scope.reaching_name(leaf):
            if binding.kind == "value" and binding.value and not binding.path:
                yield binding.value


def _calls_one(summaries: Summaries, leaves: list[ast.expr], scope: Scope) -> bool:
    """Whether what is returned is all what a function of two modes gives."""
    for leaf in leaves:
        for each in _made_of(leaf, scope):
            if isinstance(each, ast.Call):
                found = summaries.of_known_callees(each.func, scope)
                if found and all(one.has_two_modes for one in found):
                    return True
    return False


def _work(leaf: ast.expr, scope: Scope) -> Iterator[str]:
    """The functions that an awaitable comes from, and the name that it has."""
    for each in _made_of(leaf, scope):
        if isinstance(each, ast.Name):
            yield each.id
        for inner in all_nodes(each):
            if isinstance(inner, ast.Call):
                yield ast.unparse(inner.func)


def _elsewhere(node: FunctionNode, leaves: list[ast.expr], skip: set[int]) -> Iterator[ast.Call]:
    """The calls on the paths that return no awaitable."""
    for leaf in leaves:
        if id(leaf) not in skip and isinstance(leaf, ast.Call):
            yield leaf
    yield from _in_blocks(node.body, skip)


def _in_blocks(body: list[ast.stmt], skip: set[int]) -> Iterator[ast.Call]:
    """The calls that are statements behind which no awaitable is returned."""
    for index, statement in enumerate(body):
        match statement:
            case ast.Expr(ast.Call() as call):
                returned = (inner.value for inner in own_nodes(body[index:], ast.Return))
                if not any(id(value) in skip for value in returned):
                    yield call
        for block in child_blocks(statement):
            yield from _in_blocks(block, skip)


def _handed_on(call: ast.Call) -> Iterator[str]:
    """The functions and names that a call passes on."""
    if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Call):
        yield from _handed_on(call.func.value)  # `run_there(work()).result()`
    for argument in call_arguments(call):
        match argument:
            case ast.Name() | ast.Attribute():
                yield ast.unparse(argument)
            case ast.Call(func):
                yield ast.unparse(func)
                yield from _handed_on(argument)


def _gives_awaitable(summaries: Summaries, call: ast.Call, scope: Scope) -> bool:
    resolver = summaries.resolver
    return resolver.awaitability(resolver.type_of(call, scope)).is_certain
