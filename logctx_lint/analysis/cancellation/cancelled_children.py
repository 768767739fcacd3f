"""Child tasks that other code cancels: an awaiting parent catches the cancellation of the child.

    self._command = create_task(self._run(line))
    try:
        await self._command
    except CancelledError:        # `interrupt()` has called `self._command.cancel()`
        print()

The task is made by the function itself, or by a helper that it gives a coroutine; or an attribute
holds it, and then the handler must not do more than go on: who notes in the object that the task
was cancelled says so of one that may still run, where only the waiter was. Nor may it go on in the
block of others, as a context manager does.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from logctx_lint.analysis.called_code import Code, code_of
from logctx_lint.analysis.context import FunctionOrLambda, TreeContext
from logctx_lint.analysis.deferreds.shared_state import LOOK_UPS, VIEWS
from logctx_lint.analysis.deferreds.waiting_functions import related_classes
from logctx_lint.analysis.kept_places import (
    Place,
    cancelled_in,
    local_values,
    places,
    places_cancelled,
    places_from,
)
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import APPENDERS
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    assignments,
    body_nodes,
    call_arguments,
    last_name,
    own_attribute,
    own_nodes,
)

_STARTERS = frozenset({Role.TASK_STARTER})
_WAITERS = frozenset({Role.FORWARDING_GATHERER, Role.CANCELLATION_SHIELD})
_TAKING = LOOK_UPS | VIEWS | {"pop", "popleft", "popitem"}
_LONGEST_WAY = 3
"""How many names a value is followed through."""


@dataclass(frozen=True, slots=True)
class _Cancel:
    """Code that cancels what an attribute holds."""

    function: ast.AST
    is_of_self: bool
    owner: str
    """The class that the code stands in; empty if it is in none."""


@dataclass(frozen=True)
class CancelledChildren:
    """Finds them in one unit."""

    context: TreeContext

    def are_awaited(self, awaits: Sequence[ast.AST], handling: Sequence[ast.stmt]) -> bool:
        """Whether each of these suspension points waits for such a task, as is then handled."""
        stopped = {ast.unparse(each) for each in cancelled_in(own_nodes(handling))}
        if stopped and not all(self._is_stopped(each, stopped) for each in awaits):
            return False  # It hands a cancellation of its own down.
        may_be_kept = not any(map(_notes, own_nodes(handling)))
        return all(
            isinstance(each, ast.Await) and self._is_child(each.value, may_be_kept=may_be_kept)
            for each in awaits
        )

    def _is_stopped(self, node: ast.AST, stopped: set[str]) -> bool:
        """Whether a handler makes sure of the end of the function's own task that it awaits."""
        function = self.context.function_of(node)
        match node:
            case ast.Await(ast.Name() | ast.Attribute() as task) if stopped == {ast.unparse(task)}:
                return isinstance(function, FunctionNode) and any(
                    map(self._starts_task, self._values(task, function))
                )
        return False

    def _is_child(self, node: ast.expr, *, may_be_kept: bool) -> bool:
        function = self.context.function_of(node)
        if not isinstance(function, FunctionNode):
            return False
        match node:
            case ast.Call(args=given) if self.context.roles(node) & _WAITERS:
                return any(self._is_child(each, may_be_kept=may_be_kept) for each in given)
            case ast.Call():
                return self._runs_as_child(node)
            case ast.Name() | ast.Attribute():
                is_own = any(map(self._starts_task, self._values(node, function)))
                yields = any(body_nodes(function, ast.Yield))
                may_go_on = may_be_kept and not yields
                kept = self._places(node, function) if is_own or may_go_on else ()
                return any(self._is_cancelled(each, function) for each in kept)
        return False

    def _places(self, node: ast.expr, function: FunctionNode) -> Iterator[Place]:
        """Where a task is kept, by the function or by a method that is given it."""
        yield from places(node, function)
        text = ast.unparse(node)
        for each in body_nodes(function, ast.Call):
            if [text] == [ast.unparse(given) for given in each.args]:
                yield from self._put_by(each)

    def _put_by(self, call: ast.Call) -> Iterator[ast.Attribute]:
        """The attributes that a method puts its one argument into: `self._set_task(task)`."""
        for callee in self.context.functions(call.func):
            code = code_of(callee)
            parameters = {each.name for each in callee.facts.parameters}
            for node in code.nodes if code else ():
                match node:
                    case ast.Assign(targets, ast.Name(given)) if given in parameters:
                        yield from (each for each in targets if isinstance(each, ast.Attribute))

    def _values(self, node: ast.expr, function: FunctionNode) -> Iterator[ast.expr]:
        """What a function assigns to a name or attribute."""
        text = ast.unparse(node)
        for target, value in assignments(body_nodes(function)):
            if ast.unparse(target) == text:
                yield value

    def _starts_task(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Call) and self.context.file.may_play(node.func, _STARTERS)

    def _is_cancelled(self, place: Place, waiting: FunctionNode) -> bool:
        """Whether another function cancels what is kept in an attribute of that name."""
        owner = self.context.unit.scope.owner
        related = related_classes(self.context.file, owner) if owner else {""}
        is_of_self = bool(own_attribute(place))
        return isinstance(place, ast.Attribute) and any(
            each.function is not waiting
            and not (is_of_self and each.is_of_self and each.owner not in related)
            for each in self._cancels.get(place.attr, ())
        )

    @cached_property
    def _cancels(self) -> dict[str, list[_Cancel]]:
        """What the functions of the file cancel, by the attributes that hold it."""
        tree = self.context.file.tree
        classes = list(all_nodes(tree, ast.ClassDef))
        owners = {
            inner: each.name
            for each in sorted(classes, key=lambda one: one.lineno)
            for inner in all_nodes(each)
        }
        found: dict[str, list[_Cancel]] = {}
        for function in all_nodes(tree):
            if isinstance(function, FunctionOrLambda):
                for place in places_cancelled(function):
                    is_of_self = bool(own_attribute(place))
                    cancel = _Cancel(function, is_of_self, owners.get(function, ""))
                    found.setdefault(last_name(place), []).append(cancel)
        return found

    def _runs_as_child(self, call: ast.Call) -> bool:
        """Whether a helper makes a task of a coroutine, keeps it to be cancelled and awaits it."""
        callees = self.context.functions(call.func)
        return (
            bool(callees)
            and any(isinstance(given, ast.Call) for given in call_arguments(call))
            and all(map(self._keeps_child, callees))
        )

    def _keeps_child(self, helper: Function) -> bool:
        code = code_of(helper)
        parameters = {each.name for each in helper.facts.parameters}
        for node in code.nodes if code else ():
            match node:
                case ast.Assign([*_, target], ast.Call(_, [ast.Name(given), *_]) as call) if code:
                    name = last_name(target)
                    if given in parameters and self._starts_task(call) and _awaits(code, name):
                        kept = {*_kept_as(code, name)}
                        return bool(kept) and self._is_cancelled_in_package(kept, helper)
        return False

    def _is_cancelled_in_package(self, names: set[str], near: Function) -> bool:
        """Whether code of the package cancels what attributes of such names hold."""
        references = self.context.resolver.references
        return any(
            isinstance(place, ast.Attribute) and place.attr in names
            for call, scope in references.calls("cancel", near.module)
            if isinstance(call.func, ast.Attribute) and isinstance(scope.node, FunctionNode)
            for place in places_from(call.func.value, local_values(scope.node))
        )


def _notes(node: ast.AST) -> bool:
    """Whether code sets an attribute, or raises."""
    is_set = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    return is_set or isinstance(node, ast.Raise)


def _awaits(code: Code, name: str) -> bool:
    return any(isinstance(each, ast.Await) and last_name(each.value) == name for each in code.nodes)


def _kept_as(code: Code, name: str) -> Iterator[str]:
    """The attributes that hold a task, and the parameters that it is handed on as."""
    for node in code.nodes:
        match node:
            case ast.Assign(targets, ast.Name(value)) if value == name:
                yield from (each.attr for each in targets if isinstance(each, ast.Attribute))
            case ast.Assign(targets, ast.Call()) if name in map(last_name, targets):
                yield from (each.attr for each in targets if isinstance(each, ast.Attribute))
            case ast.Call(ast.Attribute(holder, method), [ast.Name(value)]) if value == name:
                yield from (last_name(holder) for _ in [0] if method in APPENDERS)
            case ast.keyword(str() as parameter, ast.Name(value)) if value == name:
                yield parameter
