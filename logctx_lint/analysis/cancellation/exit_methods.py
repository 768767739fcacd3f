"""Which `return` of an `__aexit__` swallows a cancellation that comes out of the `async with`.

The method is interpreted for a call with a cancelled error. A condition about anything else may be
true or false: what depends on it is unknown, and not reported.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from enum import Enum

from logctx_lint.analysis.cancellation.cancellation_state import Code
from logctx_lint.analysis.exception_handlers import Cancellation
from logctx_lint.inference.constants import combined, negated
from logctx_lint.inference.types import ClassObject
from logctx_lint.syntax.ast_walk import body_nodes, is_none, own_nodes

_LEAVING = (ast.Return, ast.Raise, ast.Break, ast.Continue)


class _Reach(Enum):
    """Whether a statement runs."""

    SURE = "in any case"
    MAYBE = "perhaps"
    NEVER = "not at all"


@dataclass
class ExitMethod:
    """One `__aexit__`, called with the cancelled error of one framework."""

    code: Code
    live: Cancellation
    _found: list[ast.Return] = field(default_factory=list)

    def swallowing(self) -> list[ast.Return]:
        """The statements that give something true for it, and surely run."""
        self._walk(self.code.node.body, _Reach.SURE)
        return self._found

    def _walk(self, body: list[ast.stmt], reach: _Reach) -> _Reach:
        """Go through statements; tells whether what stands behind them runs."""
        for statement in body:
            if reach is _Reach.NEVER:
                break
            match statement:
                case ast.Return(value):
                    if reach is _Reach.SURE and value is not None and self._truth(value):
                        self._found.append(statement)
                    reach = _Reach.NEVER
                case ast.Raise():
                    reach = _Reach.NEVER
                case ast.If(test, then, orelse):
                    reach = self._branch(self._truth(test), then, orelse, reach)
                case ast.With(body=inner) | ast.AsyncWith(body=inner):
                    reach = self._walk(inner, reach)
                case ast.Try():
                    reach = self._try(statement, reach)
                case ast.For() | ast.AsyncFor() | ast.While() | ast.Match():
                    reach = _behind(reach, [statement])
        return reach

    def _branch(
        self, truth: bool | None, then: list[ast.stmt], orelse: list[ast.stmt], reach: _Reach
    ) -> _Reach:
        if truth is not None:
            return self._walk(then if truth else orelse, reach)
        ends = {self._walk(then, _Reach.MAYBE), self._walk(orelse, _Reach.MAYBE)}
        return _Reach.NEVER if ends == {_Reach.NEVER} else _behind(reach, [*then, *orelse])

    def _try(self, node: ast.Try, reach: _Reach) -> _Reach:
        behind = self._walk(node.body, reach)
        if behind is not _Reach.NEVER:
            behind = self._walk(node.orelse, behind)
        for handler in node.handlers:
            self._walk(handler.body, _Reach.MAYBE)
            behind = _behind(behind, handler.body)
            if behind is _Reach.NEVER:
                behind = _Reach.MAYBE
        after = self._walk(node.finalbody, reach)
        return after if after is _Reach.NEVER else behind

    # What tests say

    def _truth(self, test: ast.expr) -> bool | None:
        match test:
            case ast.Constant(value):
                return bool(value)
            case ast.UnaryOp(ast.Not(), operand):
                return negated(self._truth(operand))
            case ast.BoolOp(junction, values):
                return combined(junction, [self._truth(value) for value in values])
            case ast.Compare(left, [operator], [right]):
                return self._compared(left, operator, right)
            case ast.Call(ast.Name("bool"), [value], []):
                return self._truth(value)
            case ast.Call(ast.Name("issubclass"), [first, second], []) if self._is_error(first, 0):
                return self._is_of(second)
            case ast.Call(ast.Name("isinstance"), [first, second], []) if self._is_error(first, 1):
                return self._is_of(second)
        return True if self._is_error(test, 0) or self._is_error(test, 1) else None

    def _compared(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> bool | None:
        same = isinstance(operator, ast.Is | ast.Eq)
        if not same and not isinstance(operator, ast.IsNot | ast.NotEq):
            return None
        if is_none(right):
            is_error = any(self._is_error(left, index) for index in range(3))
            return not same if is_error else None
        if self._is_error(left, 0):
            is_cancelled = bool(self.code.caught(right).named & self.live)
            if is_cancelled or self._is_class(right):
                return is_cancelled is same
        return None

    def _is_error(self, node: ast.expr, index: int) -> bool:
        """Whether it is the type (0), the value (1) or the traceback (2) of the error."""
        arguments = self.code.node.args
        names = [each.arg for each in (*arguments.posonlyargs, *arguments.args)][1:]
        match node:
            case ast.Name(name):
                return names[index : index + 1] == [name] and name not in self._rebound
            case ast.Subscript(ast.Name(name), ast.Constant(value)):
                rest = arguments.vararg.arg if arguments.vararg else None
                return not names and name == rest and value == index and name not in self._rebound
        return False

    @property
    def _rebound(self) -> set[str]:
        return {
            each.id
            for each in body_nodes(self.code.node, ast.Name)
            if not isinstance(each.ctx, ast.Load)
        }

    def _is_of(self, classes: ast.expr) -> bool | None:
        """Whether the error is of some classes; None if they are not known."""
        if self.code.caught(classes).cancellation & self.live:
            return True
        elements = classes.elts if isinstance(classes, ast.Tuple) else [classes]
        return False if all(map(self._is_class, elements)) else None

    def _is_class(self, node: ast.expr) -> bool:
        if not isinstance(node, ast.Name | ast.Attribute):
            return False
        definition, names = self.code.file.resolver.define(node, self.code.scope)
        return isinstance(definition, ClassObject) and definition.cls.qualified_name in names


def _behind(reach: _Reach, statements: list[ast.stmt]) -> _Reach:
    """Whether what stands behind statements that may have run runs."""
    leaves = any(isinstance(each, _LEAVING) for each in own_nodes(statements))
    return _Reach.MAYBE if leaves and reach is _Reach.SURE else reach
