"""Evaluates conditions on one path of a cancellation, from what is known there."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from logctx_lint.analysis.cancellation.call_summaries import asked
from logctx_lint.analysis.cancellation.cancellation_state import Code, State, key_of
from logctx_lint.analysis.cancellation.exception_values import ExceptionValues
from logctx_lint.analysis.cancellation.initial_state import EXITS
from logctx_lint.analysis.context import arguments
from logctx_lint.analysis.control_flow_graph import FlowNode, NodeKind
from logctx_lint.analysis.exception_handlers import Cancellation
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.constants import combined, negated
from logctx_lint.inference.types import ClassObject
from logctx_lint.project.facts import parameters_of
from logctx_lint.syntax.ast_walk import all_nodes, assigned_to, body_nodes, is_name, is_none


@dataclass(frozen=True, slots=True)
class Conditions:
    """Evaluates the conditions of one function."""

    code: Code
    live: Cancellation
    values: ExceptionValues
    depth: int
    """In how many handlers the paths start."""

    def truth_at(self, node: FlowNode, state: State) -> bool | None:
        if node.kind is NodeKind.TEST and isinstance(node.code, ast.expr):
            return self.truth(node.code, state)
        if node.kind is NodeKind.CASE and isinstance(node.code, ast.match_case):
            return self._matches(node, node.code, state)
        return None

    def truth(self, test: ast.expr, state: State) -> bool | None:
        """Whether a condition holds on this path; None if that is not known."""
        match test:
            case ast.Constant(value):
                return bool(value)
            case ast.UnaryOp(ast.Not(), operand):
                return negated(self.truth(operand, state))
            case ast.BoolOp(junction, values):
                return combined(junction, [self.truth(value, state) for value in values])
            case ast.NamedExpr(_, value) | ast.Await(value):
                return self.truth(value, state)
            case ast.Compare(left, [operator], [right]):
                return self._compared(left, operator, right, state)
            case ast.Call():
                return self._called(test, state)
            case ast.Name() if self._says_whether_to_swallow(test):
                return False
        key = key_of(test)
        if key in state.holders or (key in state.containers and not self._is_answer(test)):
            return True
        return next((bool(truth) for name, truth in state.flags if name == key), None)

    def _is_answer(self, test: ast.expr) -> bool:
        """Whether a name is for what a call has answered that was given the exception.

        swallows = leave(type(error), error, None)
        """
        if not isinstance(test, ast.Name):
            return False
        values = [
            each.value if isinstance(each, ast.Await) else each
            for each in assigned_to(test.id, body_nodes(self.code.node))
        ]
        resolver = self.code.file.resolver
        return bool(values) and all(
            isinstance(each, ast.Call)
            and (
                is_name(each.func, "bool")
                or not isinstance(resolver.type_of(each.func, self.code.scope), ClassObject)
            )
            for each in values
        )

    def _called(self, test: ast.Call, state: State) -> bool | None:
        """Whether a call gives something true."""
        match test:
            case ast.Call(ast.Name("isinstance"), [first, second]):
                if self._is_none(first, state):
                    return False
                return self._is_one_of([second]) if self.values.is_held(first, state) else None
            case ast.Call(ast.Attribute(receiver, "cancelling")):
                return True if self.values.is_current_task(receiver) else None
            case ast.Call(ast.Attribute(receiver, "cancelled"), []) if self._is_shielded(receiver):
                return False  # Its own cancellation is not this function's.
            case ast.Call(ast.Name("len" | "bool" | "any"), [inner]):
                return self.truth(inner, state)
        if Role.FAILURE_CHECK in self.code.roles(test):
            return self._is_one_of(arguments(test))
        if (callee := asked(self.values, test, state)) is not None:
            code, given = callee
            inside = Conditions(code, self.live, ExceptionValues(code), 1)
            return inside._answer(code.node.body, given)[1]
        # As in a `with`: it is the context manager that swallows, if anything does.
        return False if self._says_whether_to_swallow(test) else None

    def _is_shielded(self, task: ast.expr) -> bool:
        """Whether the function waits for a task by `await shield(task)` only."""
        waits = [each.value for each in body_nodes(self.code.node, ast.Await)]
        own = [each for each in waits if key_of(task) in map(key_of, all_nodes(each))]
        return bool(key_of(task) and own) and all(
            isinstance(each, ast.Call) and Role.CANCELLATION_SHIELD in self.code.roles(each)
            for each in own
        )

    def _answer(self, body: list[ast.stmt], state: State) -> tuple[bool, bool | None]:
        """Whether a block surely returns, or is not followed; the truth of what it returns."""
        for statement in body:
            match statement:
                case ast.Return(value):
                    return True, False if value is None else self.truth(value, state)
                case ast.If(test, then, orelse):
                    truth = self.truth(test, state)
                    if truth is None:
                        return True, None
                    returns, answer = self._answer(then if truth else orelse, state)
                    if returns:
                        return True, answer
                case ast.Expr() | ast.Pass():
                    pass
                case ast.Assign([ast.Attribute()]) | ast.AugAssign(ast.Attribute()):
                    pass  # What is counted.
                case _:
                    return True, None
        return False, False

    def _says_whether_to_swallow(self, node: ast.expr) -> bool:
        """Whether a value is what `__exit__` answers for a failure, by hand or under a name."""
        match node:
            case ast.Call(ast.Attribute(_, name), given) if name in EXITS:
                nothing = [isinstance(each, ast.Constant) for each in given]
                return bool(given) and not all(nothing)
            case ast.Name(name):
                answers = [
                    each.value
                    for each in body_nodes(self.code.node, ast.Assign)
                    if any(key_of(target) == name for target in each.targets)
                ]
                calls = [each.value if isinstance(each, ast.Await) else each for each in answers]
                return any(
                    isinstance(each, ast.Call) and self._says_whether_to_swallow(each)
                    for each in calls
                )
        return False

    def _compared(
        self, left: ast.expr, operator: ast.cmpop, right: ast.expr, state: State
    ) -> bool | None:
        if isinstance(operator, ast.Is | ast.IsNot):
            if is_none(right):
                if self.values.is_active_exception(left):
                    # There is one where a handler is around.
                    return isinstance(operator, ast.IsNot) is (self.depth > 1)
                holds = self._is_none(left, state)
                return None if holds is None else holds is isinstance(operator, ast.Is)
            if self._are_different(left, right, state) or self._are_different(right, left, state):
                return isinstance(operator, ast.IsNot)
            return None
        if isinstance(right, ast.Constant) and right.value == 0 and self.truth(left, state):
            if isinstance(operator, ast.Gt | ast.NotEq):
                return True
            return False if isinstance(operator, ast.Eq) else None
        return None

    def _are_different(self, caught: ast.expr, other: ast.expr, state: State) -> bool:
        """Whether an error is compared with one that was there before it was raised."""
        parameters = {each.arg for each, _, _ in parameters_of(self.code.node.args)}
        return (
            self.values.is_it(caught, state)
            and isinstance(other, ast.Name)
            and other.id in parameters
            and key_of(other) not in state.holders
            and all(each.kind == "parameter" for each in self.code.scope.bindings[other.id])
        )

    def _is_none(self, node: ast.expr, state: State) -> bool | None:
        key = key_of(node)
        known = [value for name, value in state.flags if name == key]
        if known:
            return known[0] is None
        if self.truth(node, state) is True or self.values.is_current_task(node):
            return False
        return None

    def _matches(self, node: FlowNode, case: ast.match_case, state: State) -> bool | None:
        if case.guard is not None or node.subject is None:
            return None
        match case.pattern:
            case ast.MatchAs(None):
                return True
            case ast.MatchClass(cls, [], [], []) if self.values.is_held(node.subject, state):
                return self._is_one_of([cls])
        return None

    def _is_one_of(self, classes: list[ast.expr]) -> bool:
        return any(self.code.caught(each).cancellation & self.live for each in classes)
