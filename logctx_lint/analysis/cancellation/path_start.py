"""Where the paths of a cancellation start, and what the code there does with what it catches."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from logctx_lint.analysis.cancellation.cancellation_state import Code, Exc, State, kept_as, key_of
from logctx_lint.analysis.cancellation.exception_values import ExceptionValues
from logctx_lint.analysis.cancellation.initial_state import left_for
from logctx_lint.analysis.control_flow_graph import FlowNode, NodeKind
from logctx_lint.inference.known_names import FAILERS
from logctx_lint.syntax.ast_walk import body_nodes, own_nodes, start_of

_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_JUMPS = (ast.Return, ast.Break, ast.Continue)


@dataclass(frozen=True)
class PathStart:
    """The handler, `with` or `finally` that takes the cancellation; no node: a whole function."""

    code: Code
    values: ExceptionValues
    node: FlowNode | None

    @cached_property
    def depth(self) -> int:
        """In how many handlers it stands, itself included."""
        return self.node.depth if self.node else 0

    @property
    def statement(self) -> ast.AST | None:
        """What the paths start in."""
        return self.node.code if self.node else None

    @cached_property
    def handler(self) -> ast.ExceptHandler | None:
        """The `except` clause, if it is one."""
        return self.statement if isinstance(self.statement, ast.ExceptHandler) else None

    @property
    def _handling(self) -> list[ast.stmt]:
        return self.handler.body if self.handler else []

    @cached_property
    def left_for(self) -> set[str]:
        """The parameters of an `__aexit__` that say that the block is left for a cancellation."""
        return left_for(self.code, self.node) if self.node else set()

    def is_inside(self, target: FlowNode) -> bool:
        """Whether an exception that goes there stays in the handler that the paths start in."""
        if target.kind is NodeKind.RAISED:
            return False
        depth = target.depth - (target.kind is NodeKind.FINALLY)
        return self.node is None or depth >= self.depth > 0

    def is_left_by(self, node: FlowNode, target: FlowNode) -> bool:
        """Whether a jump leaves the `finally` that the paths start in."""
        is_final = self.node is not None and self.node.kind is NodeKind.FINALLY
        return (
            is_final and isinstance(node.code, _JUMPS) and node.depth >= self.depth > target.depth
        )

    @cached_property
    def told(self) -> frozenset[str]:
        """The flags of which the caller is told.

        `return result, was_cancelled`, or `if was_cancelled: raise CancelledError()`.
        """
        if self.handler is None or not self.code.caught(self.handler.type).by_name:
            return frozenset()
        told: set[str] = set()
        for each in body_nodes(self.code.node):
            match each:
                case ast.Return(ast.Name(name)):
                    told.add(name)
                case ast.If(test, [*_, ast.Raise(ast.expr() as raised)]):
                    told |= {key_of(test)} if self.values.is_cancelled(raised) else set()
                case ast.If(test, [*_, ast.Expr(ast.Call(ast.Attribute(receiver, "cancel")))]):
                    told |= {key_of(test)} if self.values.is_current_task(receiver) else set()
                case ast.Return(ast.Tuple(elements)):
                    told |= {key_of(element) for element in elements}
        return frozenset(told - {""})

    def has_nobody_waiting(self, test: ast.AST | None, truth: bool, state: State) -> bool:
        """Of `if not future.done(): future.set_exception(error)`: where it is done already."""
        while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            test, truth = test.operand, not truth
        match test:
            case ast.Call(ast.Attribute(receiver, "done" | "cancelled"), []) if truth:
                pass
            case ast.Attribute(receiver, "called") if truth:
                pass
            case _:
                return False
        return any(
            isinstance(each, ast.Call)
            and isinstance(each.func, ast.Attribute)
            and each.func.attr in FAILERS
            and ast.unparse(each.func.value) == ast.unparse(receiver)
            and any(key_of(given) in state.holders for given in each.args)
            for each in own_nodes(self._handling or self.code.node.body)
        )

    def kept_instead(self, node: FlowNode, truth: bool) -> str:
        """Of `if first is None: first = error`: the name that holds an earlier one otherwise."""
        match node.code:
            case ast.Compare(left, [ast.Is() | ast.IsNot() as how], [ast.Constant(None)]) if (
                truth is isinstance(how, ast.IsNot) and node.depth >= self.depth
            ):
                name = self.handler.name if self.handler else ""
                return key_of(left) if key_of(left) in kept_as(name, self._handling) else ""
        return ""

    def is_told(self, target: ast.expr, state: State) -> bool:
        """Whether a flag that is set says to the caller what is being handled."""
        return state.current is Exc.CANCELLATION and key_of(target) in self.told

    def loops_around(self, place: ast.AST) -> Iterator[ast.stmt]:
        """The loops that are around the start, and come to `place` again."""
        line, at = start_of(self.statement)[0] if self.statement else 0, start_of(place)[0]
        for each in body_nodes(self.code.node):
            end = getattr(each, "end_lineno", 0)
            if isinstance(each, _LOOPS) and each.lineno < line <= end and each.lineno <= at <= end:
                yield each

    def turns_forever(self, place: ast.AST, kept: frozenset[str]) -> bool:
        """Whether an endless loop keeps it, does not look at that, and comes to `place` again."""
        return bool(kept) and any(
            isinstance(each, ast.While)
            and isinstance(each.test, ast.Constant)
            and not any(
                isinstance(getattr(inner, "ctx", None), ast.Load) and key_of(inner) in kept
                for inner in body_nodes(each)
                if isinstance(inner, ast.expr)
            )
            for each in self.loops_around(place)
        )
