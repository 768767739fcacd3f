"""`task.cancel()`, then `await task`: the cancelled error caught there is that of the task."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from logctx_lint.analysis.cancellation.cancelled_elsewhere import (
    is_cancelled_elsewhere,
    taken_from_self,
)
from logctx_lint.analysis.context import TreeContext, arguments, loops
from logctx_lint.analysis.deferreds.shared_state import COPIES, VIEWS
from logctx_lint.analysis.kept_places import cancelled_in
from logctx_lint.analysis.surroundings import within
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.known_names import APPENDERS, AS_COMPLETED, WAIT
from logctx_lint.inference.passed_arguments import passed
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import Suspension, body_nodes, is_name, returned_values


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
            isinstance(each, ast.Await | ast.Yield)
            and (
                self.reach(each, _waited_for(each))
                or is_cancelled_elsewhere(self._context, each.value or each)
                or self._is_end(each.value)
            )
            for each in awaits
        )

    def _is_end(self, node: ast.expr | None) -> bool:
        """Whether a method of the project is awaited that cancels a task, and waits for its end."""
        functions = self._context.functions(node.func) if isinstance(node, ast.Call) else []
        return bool(functions) and all(map(_cancels_and_waits, functions))

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
                for node in body_nodes(function, ast.Call)
                for cancelled in self._cancelled_at(node)
                for each in self._sources(cancelled)
            ]
        return self._known[function]

    def _cancelled_at(self, call: ast.Call) -> Iterator[ast.expr]:
        """What a call cancels: `task.cancel()`, `callLater(5, d.cancel)`, a helper that does it."""
        is_cancel = isinstance(call.func, ast.Attribute) and call.func.attr == "cancel"
        yield from cancelled_in((call.func,) if is_cancel else arguments(call))
        for function in self._context.functions(call.func) if not is_cancel else ():
            yield from self._cancelled_by(function, call)

    def _cancelled_by(self, function: Function, call: ast.Call) -> Iterator[ast.expr]:
        """What a first-party helper cancels of what it is given, or of its own object."""
        node = function.implementation.source_tree()
        if node is None:
            return
        places = _cancelled_places(node)
        if not places:
            return
        if any(ast.unparse(each) in places for each in returned_values(node)):
            yield call
        given = passed(self._context.resolver, call, function)
        yield from (value for name, value in given if name in places)
        if not isinstance(call.func, ast.Attribute):
            return
        own = ast.unparse(call.func.value)
        for place in places:
            if place.startswith("self."):
                inner = parse_expression(f"{own}.{place.removeprefix('self.')}")
                if inner is not None:
                    yield inner

    def _sources(self, receiver: ast.expr) -> Iterator[ast.expr]:
        """An expression itself; of the target of a loop, what is looped over."""
        yield from containers(receiver)
        if not isinstance(receiver, ast.Name):
            return
        yield from self._pending(receiver)
        for outer, _ in within(self._context, receiver):
            for loop in loops(outer):
                if is_name(loop.target, receiver.id):
                    for each in containers(self._tasks_of(loop.iter)):
                        yield each
                        if isinstance(each, ast.Name):
                            yield from self._pending(each)

    def _tasks_of(self, iterated: ast.expr) -> ast.expr:
        """Of `as_completed(tasks)`: the tasks; anything else itself."""
        match iterated:
            case ast.Call(args=[tasks, *_]) if not AS_COMPLETED.isdisjoint(
                self._context.names(iterated)
            ):
                return tasks
        return iterated

    def _pending(self, name: ast.Name, depth: int = 2) -> Iterator[ast.expr]:
        """Of `done, pending = await asyncio.wait(tasks)`: the tasks, which may be among them."""
        for each in self._elements(name):
            yield each
            if isinstance(each, ast.Name) and depth:
                yield from self._pending(each, depth - 1)

    def _elements(self, name: ast.Name) -> Iterator[ast.expr]:
        function = self._context.function_of(name)
        for node in body_nodes(function) if isinstance(function, FunctionNode) else ():
            match node:
                case ast.Assign([ast.Tuple([_, ast.Name(target)])], ast.Await(ast.Call() as call)):
                    if target == name.id and call.args and self._is_wait(call):
                        yield from containers(call.args[0])
                case ast.Assign([ast.Name(target)], value) if target == name.id:
                    if isinstance(value, ast.List | ast.Tuple | ast.Set):
                        yield from containers(value)
                    elif isinstance(value, ast.Attribute | ast.Call):
                        yield value  # Another name of the same tasks.
                case ast.Call(ast.Attribute(ast.Name(target), method), [value]):
                    if target == name.id and method in APPENDERS:
                        yield from containers(value)

    def _is_wait(self, call: ast.Call) -> bool:
        return not WAIT.isdisjoint(self._context.names(call))


def _looped_over(function: FunctionNode) -> dict[str, str]:
    """By the targets of a function's loops: what is looped over."""
    return {
        loop.target.id: ast.unparse(each)
        for node in body_nodes(function)
        for loop in loops(node)
        if isinstance(loop.target, ast.Name)
        for each in containers(loop.iter)
    }


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


def _cancels_and_waits(function: Function) -> bool:
    """`self.task.cancel(); await self.task`, and no other wait."""
    node = None if function.module.is_stub else function.implementation.tree()
    if node is None or not function.facts.is_async:
        return False
    places, taken = _cancelled_places(node), taken_from_self(node)
    waits = [each for each in body_nodes(node) if isinstance(each, Suspension)]
    return bool(waits) and all(
        isinstance(each, ast.Await)
        and taken.get(ast.unparse(each.value), ast.unparse(each.value)) in places
        for each in waits
    )


def _cancelled_places(function: FunctionNode) -> set[str]:
    """What a function cancels: its own names and attributes, whichever name they go by there."""
    receivers = {ast.unparse(each) for each in cancelled_in(body_nodes(function))}
    looped, taken = _looped_over(function), taken_from_self(function)
    return {looped.get(each, taken.get(each, each)) for each in receivers}
