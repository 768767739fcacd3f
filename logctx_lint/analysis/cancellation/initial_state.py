"""What is known at the start of a handler that catches a cancellation, from the code before it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.cancellation.cancellation_state import Code, State, kept_as
from logctx_lint.analysis.control_flow_graph import FlowNode
from logctx_lint.inference.use_def import Binding
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    body_nodes,
    declared_outer,
    own_nodes,
    stored_names,
)

EXITS = frozenset({"__exit__", "__aexit__"})
_LEAVING = (ast.Return, ast.Raise)


def with_constants(code: Code, start: FlowNode, state: State) -> State:
    """A state with the names that surely hold None, True or False, or that were tested around."""
    body = getattr(start.code, "body", None)
    if not isinstance(start.code, ast.ExceptHandler) or not body:
        return state
    position = body[0].lineno, body[0].col_offset
    elsewhere = declared_outer(all_nodes(code.node))
    for name, bindings in code.scope.bindings.items():
        if name not in elsewhere and any(_constant(each) for each in bindings):
            reaching = code.scope.reaching(name, position)
            values = {_value(each) for each in reaching}
            if len(values) == 1 and all(_constant(each) for each in reaching):
                state = state.known(name, *values)
    for name, truth in _tested(code, start.code):
        state = state.known(name, truth)
    return state


def kept_before(code: Code, start: FlowNode) -> Iterator[str]:
    """Where a handler around has kept the cancellation that it names."""
    place = start.code
    for outer in body_nodes(code.node):
        if (
            isinstance(outer, ast.ExceptHandler)
            and outer is not place
            and outer.name
            and code.caught(outer.type).by_name
            and any(inner is place for inner in body_nodes(outer))
        ):
            yield from kept_as(outer.name, outer.body)


def named_around(code: Code, start: FlowNode) -> list[str]:
    """The names of the cancellations that handlers around a place handle, the outermost first.

    Empty for a handler of something else; an empty list where a `finally` is among them.
    """
    around = [
        outer
        for outer in body_nodes(code.node, ast.ExceptHandler)
        if outer is not start.code and any(inner is start.code for inner in body_nodes(outer))
    ]
    if len(around) != start.depth - 1:
        return []
    return [
        outer.name if outer.name and code.caught(outer.type).by_name else ""
        for outer in sorted(around, key=lambda each: each.lineno)
    ]


def left_for(code: Code, start: FlowNode) -> set[str]:
    """The parameters of an `__aexit__` that are known, where the paths start, to say that the
    block is left for a cancellation: to answer with nothing true lets that one out."""
    arguments = code.node.args
    names = {each.arg for each in [*arguments.posonlyargs, *arguments.args][1:3]}
    is_exit = code.node.name in EXITS and code.scope.enclosing_class is not None
    return names & _known_errors(code, code.node.body, start.code, set()) if is_exit else set()


def _known_errors(
    code: Code, body: list[ast.stmt], place: ast.AST | None, known: set[str]
) -> set[str]:
    """The names that are known to be cancelled errors, or their class, at a place in a block."""
    for statement in body:
        inside = list(own_nodes([statement]))
        bound = stored_names(inside)
        if place not in inside:
            known = known - bound
            if isinstance(statement, ast.If) and isinstance(statement.body[-1], _LEAVING):
                known |= set(_errors(code, statement.test, False))
            continue
        if isinstance(statement, ast.If):
            is_then = place in body_nodes(statement)
            branch = statement.body if is_then else statement.orelse
            found = known | set(_errors(code, statement.test, is_then))
            return _known_errors(code, branch, place, found)
        handlers: list[ast.ExceptHandler] = getattr(statement, "handlers", [])
        parts = [getattr(statement, each, []) for each in ("body", "orelse", "finalbody")]
        for part in [*parts, *(each.body for each in handlers)]:
            if place in own_nodes(part):
                return _known_errors(code, part, place, known - bound)
        return known - bound
    return known


def _errors(code: Code, test: ast.expr, truth: bool) -> Iterator[str]:
    """The names that a condition says to be cancelled errors, or their class."""
    match test:
        case ast.UnaryOp(ast.Not(), operand):
            yield from _errors(code, operand, not truth)
        case ast.BoolOp(operator, values) if isinstance(operator, ast.And) is truth:
            for value in values:
                yield from _errors(code, value, truth)
        case ast.Call(ast.Name("isinstance" | "issubclass"), [ast.Name(name), classes]) if truth:
            kinds = classes.elts if isinstance(classes, ast.Tuple) else [classes]
            if all(code.caught(each).named for each in kinds):
                yield name
        case ast.Compare(ast.Name(name), [operator], [cls]):
            is_same = isinstance(operator, ast.Is | ast.Eq)
            is_other = isinstance(operator, ast.IsNot | ast.NotEq)
            if (is_same if truth else is_other) and code.caught(cls).named:
                yield name


def _constant(binding: Binding) -> bool:
    return (
        binding.kind in ("value", "annotation")
        and not binding.path
        and isinstance(binding.value, ast.Constant)
        and (binding.value.value is None or isinstance(binding.value.value, bool))
    )


def _value(binding: Binding) -> bool | None:
    value = binding.value.value if isinstance(binding.value, ast.Constant) else None
    return value if isinstance(value, bool) else None


def _tested(code: Code, place: ast.AST) -> Iterator[tuple[str, bool]]:
    """The local names that an `if` around a place tests, where nothing binds them inside."""
    for outer in body_nodes(code.node, ast.If):
        for branch, truth in ((outer.body, True), (outer.orelse, False)):
            inside = list(own_nodes(branch))
            if place not in inside:
                continue
            bound = stored_names(inside)
            for name, holds in _facts(outer.test, truth):
                if name not in bound and name in code.scope.bindings:
                    yield name, holds


def _facts(test: ast.expr, truth: bool) -> Iterator[tuple[str, bool]]:
    match test:
        case ast.Name(name):
            yield name, truth
        case ast.UnaryOp(ast.Not(), operand):
            yield from _facts(operand, not truth)
        case ast.BoolOp(operator, values) if isinstance(operator, ast.And) is truth:
            for value in values:
                yield from _facts(value, truth)
