"""`task.cancel()`, then waiting for that very task: the cancellation that comes is its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import libcst as cst

from logctx_lint.rules.context import RuleContext
from logctx_lint.rules.nodes import own_code
from logctx_lint.rules.sharing import COPIES, VIEWS


@dataclass(frozen=True, slots=True)
class _Cancel:
    """`task.cancel()`, or the same for each of some tasks."""

    line: int
    text: str
    """What is cancelled: a task, or a container of tasks."""


class Cancels:
    """What the functions of one unit cancel before they wait for it."""

    def __init__(self, context: RuleContext) -> None:
        self._context = context
        self._known: dict[cst.FunctionDef, list[_Cancel]] = {}

    def are_waited_for(self, awaits: Sequence[cst.CSTNode]) -> bool:
        """Whether each of these suspension points, of one function, waits for its own end."""
        return all(
            isinstance(each, cst.Await | cst.Yield) and self.reach(each, _waited_for(each))
            for each in awaits
        )

    def reach(self, node: cst.CSTNode, values: Iterable[cst.BaseExpression]) -> bool:
        """Whether one of some values has been cancelled when `node` runs."""
        function = self._context.function_of(node)
        if not isinstance(function, cst.FunctionDef):
            return False
        line = self._context.span(node).line
        before = {cancel.text for cancel in self._of(function) if cancel.line <= line}
        return bool(before) and any(
            self._context.text(source) in before
            for value in values
            for source in self._sources(value)
        )

    def _of(self, function: cst.FunctionDef) -> list[_Cancel]:
        if function not in self._known:
            self._known[function] = [
                _Cancel(self._context.span(node).line, self._context.text(each))
                for node in own_code(function.body)
                if isinstance(node, cst.Call)
                and isinstance(node.func, cst.Attribute)
                and node.func.attr.value == "cancel"
                for each in self._sources(node.func.value)
            ]
        return self._known[function]

    def _sources(self, receiver: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
        """An expression itself; of the target of a loop, what is looped over."""
        yield receiver
        if not isinstance(receiver, cst.Name):
            return
        for outer in self._context.around(receiver):
            if isinstance(outer, cst.FunctionDef):
                return
            loops = [outer] if isinstance(outer, cst.For) else _comprehension_loops(outer)
            for loop in loops:
                if isinstance(loop.target, cst.Name) and loop.target.value == receiver.value:
                    yield from containers(loop.iter)


def _waited_for(node: cst.CSTNode) -> Iterator[cst.BaseExpression]:
    """What an await waits for: its operand, or what that wraps or gathers."""
    match node:
        case cst.Await(expression=inner) | cst.Yield(value=cst.BaseExpression() as inner):
            yield from _waited_for(inner)
        case cst.Call():
            yield from containers(node)
            for argument in node.args:
                yield from _waited_for(argument.value)
        case cst.BaseExpression():
            yield from containers(node)


def containers(node: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """A container, and what it merely copies or gives a view of: `list(self.tasks.values())`."""
    yield node
    match node:
        case cst.Call(func=cst.Attribute(value=inner, attr=cst.Name(value=name))):
            if name in VIEWS:
                yield from containers(inner)
        case cst.Call(func=cst.Name(value=name), args=[argument, *_]):
            if name in COPIES:
                yield from containers(argument.value)
        case cst.List() | cst.Tuple() | cst.Set():
            for element in node.elements:
                yield from containers(element.value)


def _comprehension_loops(node: cst.CSTNode) -> Iterator[cst.CompFor]:
    loop = node.for_in if isinstance(node, cst.BaseSimpleComp | cst.DictComp) else None
    while loop:
        yield loop
        loop = loop.inner_for_in
