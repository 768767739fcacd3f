"""What calling a first-party function does on the path of a cancellation.

It is followed as the caller's own code is, with what the call gives it of the exception.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.cancellation.cancellation_state import (
    Code,
    Exc,
    State,
    key_of,
    of_function,
)
from logctx_lint.analysis.cancellation.exception_values import ExceptionValues
from logctx_lint.analysis.control_flow_graph import FlowNode, expressions
from logctx_lint.inference.implementations import implementations
from logctx_lint.inference.passed_arguments import open_parameters, passed
from logctx_lint.inference.types import FunctionType, functions_of, members_of
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import body_nodes, own_nodes
from logctx_lint.syntax.placeholders import asks_for_override


def called_with(
    values: ExceptionValues, function: Function, call: ast.Call, node: FlowNode, state: State
) -> tuple[Code, State] | None:
    """The body that a call runs, and what is known at its start; None if that is not known."""
    facts = function.facts
    if facts.is_generator and not facts.is_async:
        return None
    if facts.is_async and not any(
        isinstance(each, ast.Await) and each.value is call for each in expressions(node)
    ):
        return None
    code = of_function(values.code.file, function)
    if code is None or not _may_matter(code.node) or asks_for_override(code.node.body):
        return None
    given = _given(values, function, call, state)
    return None if given is None else (code, given)


def asked(values: ExceptionValues, call: ast.Call, state: State) -> tuple[Code, State] | None:
    """The first-party function that is handed the exception, to be asked something of it.

    def is_timeout(error): return isinstance(error, TimeoutError)
    """
    functions = first_party(values.code, call)
    if len(functions) != 1 or functions[0].facts.is_async or functions[0].facts.is_generator:
        return None
    code = of_function(values.code.file, functions[0])
    given = _given(values, functions[0], call, state) if code else None
    return None if code is None or given is None else (code, given)


def _given(
    values: ExceptionValues, function: Function, call: ast.Call, state: State
) -> State | None:
    """What is known where a call enters a function; None if it has nothing of the exception."""
    resolver = values.code.file.resolver
    given = passed(resolver, call, function)
    match call.args:
        case [ast.Starred(value)] if values.is_it(value, state):
            parameters = open_parameters(resolver, function)
            given = [(each.name, value) for each in parameters[1:2]]  # `*sys.exc_info()`
    holders = frozenset(name for name, value in given if values.is_it(value, state))
    containers = frozenset(
        name for name, value in given if name not in holders and values.holds(value, state)
    )
    current = ((Exc.CANCELLATION, ""),) if state.current is Exc.CANCELLATION else ()
    if not holders and not containers and not current:
        return None
    return State(current, holders, containers)


def first_party(code: Code, call: ast.Call) -> list[Function]:
    """The first-party functions that are surely called; none if others may be."""
    resolver = code.file.resolver
    members = list(members_of(resolver.type_of(call.func, code.scope)))
    found = [
        function
        for each in members
        if isinstance(each, FunctionType)
        for function in implementations(code.file.resolver, each.function)
    ]
    is_first_party = all(not each.module.is_stub for each in found)
    return found if len(found) >= len(members) > 0 and is_first_party else []


def with_flags(code: Code, call: ast.Call, state: State) -> State:
    """A state with the flags of the same object that a called method sets in any case.

    def close(self):
        self._closing = True
    """
    receiver = key_of(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    functions = first_party(code, call) if receiver else []
    found = [set(_flags(code, each, receiver)) for each in functions]
    for key, value in set.intersection(*found) if found else ():
        state = state.known(key, value)
    return state


def _flags(code: Code, function: Function, receiver: str) -> Iterator[tuple[str, bool]]:
    body = of_function(code.file, function)
    first = code.file.resolver.bindings.first_parameter(function)
    for statement in body.node.body if body else ():
        match statement:
            case ast.Assign(targets, ast.Constant(bool() as value)):
                for target in targets:
                    if isinstance(target, ast.Attribute) and key_of(target.value) == first:
                        yield f"{receiver}.{target.attr}", value
            case ast.If() if any(isinstance(each, ast.Return) for each in own_nodes([statement])):
                return


def never_returns(code: Code, call: ast.Call) -> bool:
    """Whether a call ends the process, or always raises."""
    resolver = code.file.resolver
    if code.file.summaries.ends_process(call.func, code.scope):
        return True
    found = functions_of(resolver.type_of(call.func, code.scope))
    return any(each.facts.returns.endswith(("NoReturn", "Never")) for each in found)


def is_failed_assertion(call: ast.Call) -> bool:
    """`self.fail(...)`, `pytest.fail(...)`, `self.assertTrue(False, ...)`."""
    match call.func, call.args:
        case ast.Attribute(ast.Name("self" | "pytest"), "fail"), _:
            return True
        case ast.Attribute(ast.Name("self"), name), [ast.Constant(bool() as value), *_]:
            return (name == "assertTrue" and not value) or (name == "assertFalse" and value)
    return False


def _may_matter(node: FunctionNode) -> bool:
    """Whether calling a function may do something about an exception that it is given."""
    return any(
        isinstance(each, ast.Raise)
        or (isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute | ast.Name))
        or (isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store))
        for each in body_nodes(node)
    )
