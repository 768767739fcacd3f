"""Constant conditions: by module constants, and by the flags that a call passes.

_IS_SYNC = False                        # `if _IS_SYNC:` never holds.

def serve(loop, run_async=False):
    if run_async:                       # Not in `serve(loop)`.
        return Server(loop)
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.narrowing import dotted
from logctx_lint.inference.passed_arguments import filled, open_parameters, pairs
from logctx_lint.inference.types import FunctionType
from logctx_lint.project.modules import Module
from logctx_lint.syntax.ast_walk import child_blocks

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver

_NOTHING = frozenset({"False", "None", "0", "''", '""'})
"""Defaults that say that nothing was passed, as text."""
_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], object]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
Values = Mapping[str, object]
"""What names are known to stand for."""


def negated(truth: bool | None) -> bool | None:
    """How `not` comes out; None where that is not known."""
    return None if truth is None else not truth


def combined(junction: ast.boolop, truths: Collection[bool | None]) -> bool | None:
    """How `and` or `or` comes out, given how its operands do; None where that is not known."""
    decisive = isinstance(junction, ast.Or)
    if decisive in truths:
        return decisive
    return None if None in truths else not decisive


def outcome(test: ast.expr, value_of: Callable[[str], ast.Constant | None]) -> bool | None:
    """How a condition comes out; None where that is not known.

    `value_of` is asked for what (dotted) names stand for.
    """
    match test:
        case ast.Constant(value):
            return bool(value)
        case ast.Name() | ast.Attribute():
            found = value_of(dotted(test))
            return None if found is None else bool(found.value)
        case ast.UnaryOp(ast.Not(), operand):
            return negated(outcome(operand, value_of))
        case ast.Compare(
            ast.Name() | ast.Attribute() as left,
            [ast.Is() | ast.IsNot() as how],
            [ast.Constant(None)],
        ):
            found = value_of(dotted(left))
            if found is None:
                return None
            return (found.value is None) is isinstance(how, ast.Is)
        case ast.Compare(ast.Name() | ast.Attribute() as left, [how], [ast.Constant(value)]) if (
            type(how) in _COMPARED
        ):
            found = value_of(dotted(left))
            if found is None or found.value is Ellipsis:
                return None
            try:
                return bool(_COMPARED[type(how)](found.value, value))
            except TypeError:
                return None
        case ast.BoolOp(junction, values):
            return combined(junction, [outcome(each, value_of) for each in values])
    return None


def module_constant(module: Module, name: str) -> ast.Constant | None:
    """The value that a name of a module has for good."""
    if not name.isidentifier():
        return None
    facts = module.facts_about(name)
    variables = facts.variables.get(name, ())
    if len(variables) != 1 or name in facts.functions or name in facts.imports:
        return None
    node = parse_expression(variables[0].value)
    return node if isinstance(node, ast.Constant) else None


def flags(
    resolver: Resolver, callee: FunctionType, call: ast.Call
) -> Callable[[str], ast.Constant | None]:
    """What the parameters of a function are in one call, where that is written out."""
    known: dict[str, ast.Constant | None] = {}
    parameters = open_parameters(resolver, callee)
    is_complete = all(keyword.arg for keyword in call.keywords) and not any(
        isinstance(each, ast.Starred) for each in call.args
    )
    given = {parameter.name: value for parameter, value in pairs(call, parameters)}
    for parameter in parameters:
        value = given.get(parameter.name)
        if value is None and is_complete and parameter.default:
            value = parse_expression(parameter.default)
        known[parameter.name] = value if isinstance(value, ast.Constant) else None
    module = callee.function.module
    return lambda name: known[name] if name in known else module_constant(module, name)


def asked_for(
    resolver: Resolver, callee: FunctionType, call: ast.Call
) -> Callable[[str], ast.Constant | None]:
    """As `flags`, where what is passed in place of nothing is taken for something: `wait=limit`.

    Of `*rest`, and of what is spread over it, there is something, too.
    """
    known = flags(resolver, callee, call)
    parameters = open_parameters(resolver, callee)
    passed = filled(call, parameters)
    instead = {
        each.name
        for each in parameters
        if each.kind == "*" or (each.name in passed and each.default in _NOTHING)
    }

    def value_of(name: str) -> ast.Constant | None:
        found = known(name)
        return ast.Constant(...) if found is None and name in instead else found

    return value_of


def reachable_returns(
    body: list[ast.stmt], value_of: Callable[[str], ast.Constant | None]
) -> tuple[list[ast.Return], bool]:
    """The `return` statements that can be reached, and whether the end of the block can be."""
    found: list[ast.Return] = []
    for statement in body:
        match statement:
            case ast.Return():
                return [*found, statement], False
            case ast.Raise():
                return found, False
            case ast.If(test, then, orelse):
                known = outcome(test, value_of)
                passes = False
                for truth, block in ((True, then), (False, orelse)):
                    if known is None or known is truth:
                        inner, goes_on = reachable_returns(block, value_of)
                        found += inner
                        passes |= goes_on
                if not passes:
                    return found, False
            case _:
                for block in child_blocks(statement):
                    found += reachable_returns(block, value_of)[0]
    return found, True


def ruled_out(around: Iterator[ast.AST], inner: ast.AST, module: Module) -> bool:
    """Whether code stands in a branch that a module constant rules out."""
    for outer in around:
        if isinstance(outer, ast.If) and isinstance(inner, ast.stmt):
            known = outcome(outer.test, lambda name: module_constant(module, name))
            if (known is False and inner in outer.body) or (known and inner in outer.orelse):
                return True
        inner = outer
    return False
