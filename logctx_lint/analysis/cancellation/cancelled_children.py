"""Tasks of one's own that other code cancels: who awaits one handles *its* cancellation.

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
from logctx_lint.analysis.cancellation.cancelled_elsewhere import cancelled_in
from logctx_lint.analysis.context import FunctionOrLambda, TreeContext, loops
from logctx_lint.analysis.deferreds.shared_state import COPIES, LOOK_UPS, VIEWS
from logctx_lint.analysis.deferreds.waiting_functions import related_classes
from logctx_lint.analysis.possible_values import possible_values
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import APPENDERS
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import all_nodes, call_arguments, last_name, own_nodes

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
                may_go_on = may_be_kept and not any(map(_yields, own_nodes(function.body)))
                places = self._places(node, function) if is_own or may_go_on else ()
                return any(self._is_cancelled(each, function) for each in places)
        return False

    def _places(self, node: ast.expr, function: FunctionNode) -> Iterator[ast.Attribute]:
        """The attributes that a task is taken from, or put into: `self._tasks.add(task)`."""
        yield from _attributes(node, _assigned(function))
        text = ast.unparse(node)
        for each in own_nodes(function.body):
            match each:
                case ast.Assign(targets, value) if text in map(ast.unparse, (*targets, value)):
                    for target in targets:
                        yield from _attributes(target, {})
                case ast.Call(ast.Attribute(holder, method), [given]) if method in APPENDERS:
                    if ast.unparse(given) == text:
                        yield from _attributes(holder, {})
                case ast.Call(_, [given]) if ast.unparse(given) == text:
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
        for each in own_nodes(function.body):
            match each:
                case ast.Assign(targets, value) if text in map(ast.unparse, targets):
                    yield value
                case ast.AnnAssign(target, _, ast.expr() as value) | ast.NamedExpr(target, value):
                    if ast.unparse(target) == text:
                        yield value

    def _starts_task(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Call) and self.context.file.may_play(node.func, _STARTERS)

    def _is_cancelled(self, place: ast.Attribute, waiting: FunctionNode) -> bool:
        """Whether another function cancels what is kept in an attribute of that name."""
        owner = self.context.unit.scope.owner
        related = related_classes(self.context.file, owner) if owner else {""}
        is_of_self = _is_of_self(place)
        return any(
            each.function is not waiting
            and not (is_of_self and each.is_of_self and each.owner not in related)
            for each in self._cancels.get(place.attr, ())
        )

    @cached_property
    def _cancels(self) -> dict[str, list[_Cancel]]:
        """What the functions of the file cancel, by the attributes that hold it."""
        tree = self.context.file.tree
        classes = [each for each in all_nodes(tree) if isinstance(each, ast.ClassDef)]
        owners = {
            inner: each.name
            for each in sorted(classes, key=lambda one: one.lineno)
            for inner in all_nodes(each)
        }
        found: dict[str, list[_Cancel]] = {}
        for function in all_nodes(tree):
            if isinstance(function, FunctionOrLambda):
                for place in _cancelled_places(function):
                    cancel = _Cancel(function, _is_of_self(place), owners.get(function, ""))
                    found.setdefault(place.attr, []).append(cancel)
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
            place.attr in names
            for call, scope in references.calls("cancel", near.module)
            if isinstance(call.func, ast.Attribute) and isinstance(scope.node, FunctionNode)
            for place in _attributes(call.func.value, _assigned(scope.node))
        )


def _notes(node: ast.AST) -> bool:
    """Whether code sets an attribute, or raises."""
    is_set = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    return is_set or isinstance(node, ast.Raise)


def _yields(node: ast.AST) -> bool:
    return isinstance(node, ast.Yield)


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


def _is_of_self(place: ast.Attribute) -> bool:
    return isinstance(place.value, ast.Name) and place.value.id == "self"


def _cancelled_places(function: FunctionOrLambda) -> Iterator[ast.Attribute]:
    body = [function.body] if isinstance(function, ast.Lambda) else function.body
    values = {} if isinstance(function, ast.Lambda) else _assigned(function)
    for each in cancelled_in(own_nodes(body)):
        yield from _attributes(each, values)


def _assigned(function: FunctionNode) -> dict[str, list[ast.expr]]:
    """What a function assigns to its local names, or loops over with them."""
    found: dict[str, list[ast.expr]] = {}
    for node in own_nodes(function.body):
        pairs: list[tuple[ast.expr, ast.expr]] = []
        match node:
            case ast.Assign([ast.Tuple(targets)], ast.Tuple(values)):
                pairs += zip(targets, values, strict=False)
            case ast.Assign(targets, value):
                pairs += [(each, value) for each in targets]
            case ast.NamedExpr(bound, value) | ast.AnnAssign(bound, _, ast.expr() as value):
                pairs.append((bound, value))
        for loop in loops(node):
            parts = loop.target.elts if isinstance(loop.target, ast.Tuple) else [loop.target]
            pairs += [(each, loop.iter) for each in parts]
        for target, value in pairs:
            if isinstance(target, ast.Name):
                found.setdefault(target.id, []).append(value)
    return found


def _attributes(
    node: ast.expr, values: dict[str, list[ast.expr]], depth: int = _LONGEST_WAY
) -> Iterator[ast.Attribute]:
    """The attributes that a value, or what holds it, comes from."""
    match node:
        case ast.Attribute():
            yield node
        case ast.Subscript(inner) | ast.Starred(inner):
            yield from _attributes(inner, values, depth)
        case ast.Call(ast.Attribute(inner, name)) if name in _TAKING:
            yield from _attributes(inner, values, depth)
        case ast.Call(ast.Name(name), [inner, *_]) if name in COPIES:
            yield from _attributes(inner, values, depth)
        case ast.List(elements) | ast.Tuple(elements) | ast.Set(elements):
            for each in elements:
                yield from _attributes(each, values, depth)
        case ast.Name(name) if depth:
            for value in values.get(name, ()):
                yield from _attributes(value, values, depth - 1)
        case ast.IfExp() | ast.BoolOp() | ast.NamedExpr():
            for each in possible_values(node):
                yield from _attributes(each, values, depth)
