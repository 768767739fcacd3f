"""`task.cancel()`, then waiting for that very task: the cancellation that comes is its own."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from logctx_lint.analysis.context import TreeContext, arguments, loops
from logctx_lint.analysis.shared_state import COPIES, VIEWS
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import own_nodes


@dataclass(frozen=True, slots=True)
class _Cancel:
    """`task.cancel()`, or the same for each of some tasks."""

    line: int
    text: str
    """What is cancelled: a task, or a container of tasks."""


class Cancels:
    """What the functions of one unit cancel before they wait for it."""

    def __init__(self, context: TreeContext) -> None:
        self._context = context
        self._known: dict[FunctionNode, list[_Cancel]] = {}

    def are_waited_for(self, awaits: Sequence[ast.AST]) -> bool:
        """Whether each of these suspension points, of one function, waits for its own end."""
        return all(
            isinstance(each, ast.Await | ast.Yield) and self.reach(each, _waited_for(each))
            for each in awaits
        )

    def reach(self, node: ast.expr, values: Iterable[ast.expr]) -> bool:
        """Whether one of some values has been cancelled when `node` runs."""
        function = self._context.function_of(node)
        if not isinstance(function, FunctionNode):
            return False
        before = {cancel.text for cancel in self._of(function) if cancel.line <= node.lineno}
        return bool(before) and any(
            ast.unparse(source) in before for value in values for source in self._sources(value)
        )

    def _of(self, function: FunctionNode) -> list[_Cancel]:
        if function not in self._known:
            self._known[function] = [
                _Cancel(node.lineno, ast.unparse(each))
                for node in own_nodes(function.body)
                if isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "cancel"
                for each in self._sources(node.func.value)
            ]
        return self._known[function]

    def _sources(self, receiver: ast.expr) -> Iterator[ast.expr]:
        """An expression itself; of the target of a loop, what is looped over."""
        yield receiver
        if not isinstance(receiver, ast.Name):
            return
        for outer in self._context.around(receiver):
            if isinstance(outer, FunctionNode):
                return
            for loop in loops(outer):
                if isinstance(loop.target, ast.Name) and loop.target.id == receiver.id:
                    yield from containers(loop.iter)


def _waited_for(node: ast.expr) -> Iterator[ast.expr]:
    """What an await waits for: its operand, or what that wraps or gathers."""
    match node:
        case ast.Await(inner) | ast.Yield(ast.expr() as inner):
            yield from _waited_for(inner)
        case ast.Call():
            yield from containers(node)
            for argument in arguments(node):
                yield from _waited_for(argument)
        case _:
            yield from containers(node)


def containers(node: ast.expr) -> Iterator[ast.expr]:
    """A container, and what it merely copies or gives a view of: `list(self.tasks.values())`."""
    yield node
    match node:
        case ast.Starred(inner):
            yield from containers(inner)
        case ast.Call(ast.Attribute(inner, name)) if name in VIEWS:
            yield from containers(inner)
        case ast.Call(ast.Name(name), [argument, *_]) if name in COPIES:
            yield from containers(argument)
        case ast.List(elements) | ast.Tuple(elements) | ast.Set(elements):
            for element in elements:
                yield from containers(element)
