"""A shared awaitable is waited for, so that cancelling one waiter cancels all.

## Why

Cancelling a request cancels the Deferred (or task, or future) that it waits for. One that is taken
from an attribute, a cache, a module variable or a closure may have other waiters: all of them see a
`CancelledError` because one client went away.

## Bad

```python
from typing import Dict

from twisted.internet.defer import Deferred

cache: "Dict[str, Deferred[None]]" = {}


async def wait_for_room(room_id: str) -> None:
    deferred = cache.get(room_id)
    if deferred is None:
        deferred = Deferred()
        cache[room_id] = deferred
    await deferred
```

```python
import asyncio


class Connection:
    _ready: "asyncio.Future[None]"

    async def wait_until_ready(self) -> None:
        await self._ready
```

## Good

```python
from typing import Dict

from twisted.internet.defer import Deferred

from logctx_lint.runtime import stop_cancellation

cache: "Dict[str, Deferred[None]]" = {}


async def wait_for_room(room_id: str) -> None:
    deferred = cache.get(room_id)
    if deferred is None:
        deferred = Deferred()
        cache[room_id] = deferred
    await stop_cancellation(deferred)
```

```python
import asyncio


class Connection:
    _ready: "asyncio.Future[None]"

    async def wait_until_ready(self) -> None:
        await asyncio.shield(self._ready)
```

## Fix

Unsafe: the work goes on when its waiter is cancelled, which may not be what you want.

## Settings

`vocabulary` adds the project's own `cancellation-shield` names.

## Use instead

`logctx_lint.runtime.stop_cancellation`, `logctx_lint.runtime.delay_cancellation`,
`logctx_lint.runtime.ObservableDeferred` for many waiters; on asyncio, `asyncio.shield`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import libcst as cst

from logctx_lint.findings import Applicability, Fix
from logctx_lint.project.classes import PROPERTIES
from logctx_lint.project.facts import own_nodes
from logctx_lint.project.scopes import Binding, Scope
from logctx_lint.project.types import Certainty, ClassObject, Instance, Kind, members_of
from logctx_lint.rules.base import Rule, RuleVisitor
from logctx_lint.rules.edits import Helper, helper, wrapped
from logctx_lint.rules.nodes import own_code
from logctx_lint.screen import Unit
from logctx_lint.vocabulary import Role

_EAGER = frozenset({Kind.DEFERRED, Kind.FUTURE, Kind.TASK})
_GATHERERS = frozenset({Role.GATHERER, Role.DEFERRED_LIST, Role.FORWARDING_GATHERER})
_TRANSPARENT = frozenset({Role.YIELDABLE_WRAPPER, Role.DEFERRED_PASSER})
_LOOK_UPS = frozenset({"get", "setdefault"})
"""Methods of a container that give an element and leave it there."""


class SharedCancellable(RuleVisitor):
    def visit_Await(self, node: cst.Await) -> None:
        self._check(node.expression, "awaited")

    def visit_Return(self, node: cst.Return) -> None:
        # What a property gives is looked at where it is waited for.
        if node.value is not None and not self._in_property(node):
            self._check(node.value, "returned")

    def _in_property(self, node: cst.Return) -> bool:
        function = self.context.function_of(node)
        return isinstance(function, cst.FunctionDef) and any(
            name in PROPERTIES
            for decorator in function.decorators
            for name in self.context.names(decorator.decorator)
        )

    def visit_Yield(self, node: cst.Yield) -> None:
        if isinstance(node.value, cst.BaseExpression) and self.context.awaits_by_yield(
            self.context.function_of(node)
        ):
            self._check(node.value, "awaited")

    def visit_Call(self, node: cst.Call) -> None:
        if self.context.roles(node) & _GATHERERS:
            for argument in node.args[:1] if not self._takes_many(node) else node.args:
                if argument.keyword is None:
                    for element in _elements(argument.value):
                        self._check(element, "gathered")

    def _takes_many(self, call: cst.Call) -> bool:
        return any(name.endswith(".gather") for name in self.context.names(call))

    def _check(self, node: cst.BaseExpression, use: str) -> None:
        taken = self._unwrapped(node)
        if taken is None:
            return
        answer = self.context.awaitability(taken)
        if answer.kind not in _EAGER or answer.certainty not in (Certainty.YES, Certainty.SOME):
            return
        place = self._shared_place(taken)
        if place is None or self._is_cancelled_here(taken):
            return
        is_deferred = answer.kind is Kind.DEFERRED
        shield = self._shield(is_deferred=is_deferred)
        name = shield.text if shield else "stop_cancellation"
        text = " ".join(self.context.text(taken).split())
        fixes = ()
        if shield:
            edits = (*wrapped(self.context, taken, shield.text), *shield.imports)
            fixes = (Fix(f"Protect it with {name}()", Applicability.UNSAFE, edits),)
        self.context.report(
            RULE.code,
            taken,
            f"`{text}` is {_A[answer.kind]} shared through {place} and {use} as it is, so that "
            f"cancelling one waiter cancels all: protect it, `{name}({text})`",
            fixes,
        )

    def _unwrapped(self, node: cst.BaseExpression) -> cst.BaseExpression | None:
        """What is really waited for: wrappers that pass a cancellation on taken away."""
        while isinstance(node, cst.Call):
            roles = self.context.roles(node)
            if roles & _TRANSPARENT and node.args:
                node = node.args[-1 if _is_cast(self.context.names(node)) else 0].value
            elif Role.CHAINER in roles and isinstance(node.func, cst.Attribute):
                node = node.func.value
            else:
                break
        return node

    def _shared_place(self, node: cst.BaseExpression) -> str | None:
        """Where an expression takes its value from, if others can take it from there, too."""
        found = self.context.expression(node)
        return _shared_place(*found, self) if found else None

    def made_here(self, node: ast.expr, scope: Scope) -> bool:
        """Whether an object was made in this very call, so that nobody else has it yet."""
        if not isinstance(node, ast.Name):
            return False
        bindings = scope.bindings.get(node.id, []) if scope.node else []
        return bool(bindings) and all(self._is_constructed(item, scope) for item in bindings)

    def _is_constructed(self, binding: Binding, scope: Scope) -> bool:
        return isinstance(binding.value, ast.Call) and isinstance(
            self.context.resolver.type_of(binding.value.func, scope), ClassObject
        )

    def is_mapping(self, node: ast.expr, scope: Scope) -> bool:
        """Whether a look-up in `node` takes out something that stays in it."""
        resolver = self.context.resolver
        return any(
            isinstance(member, Instance)
            and resolver.classes.arguments_as(member, "typing.Mapping") is not None
            for member in members_of(resolver.type_of(node, scope))
        )

    def _is_cancelled_here(self, node: cst.BaseExpression) -> bool:
        """`task.cancel()` before: what is waited for is its end."""
        function = self.context.function_of(node)
        text = self.context.text(node)
        return isinstance(function, cst.FunctionDef) and any(
            isinstance(inner, cst.Call)
            and isinstance(inner.func, cst.Attribute)
            and inner.func.attr.value == "cancel"
            and self.context.text(inner.func.value) == text
            for inner in own_code(function.body)
        )

    def _shield(self, *, is_deferred: bool) -> Helper | None:
        if is_deferred:
            return helper(
                self.context,
                Role.CANCELLATION_SHIELD,
                lambda name: name.endswith(".stop_cancellation"),
            )
        return helper(self.context, Role.CANCELLATION_SHIELD, lambda name: name == "asyncio.shield")


_A = {Kind.DEFERRED: "a Deferred", Kind.FUTURE: "a Future", Kind.TASK: "a Task"}


def _is_cast(names: tuple[str, ...]) -> bool:
    return "typing.cast" in names


def _elements(node: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """What a gatherer is given: the elements of a display, or the one value."""
    if isinstance(node, cst.List | cst.Tuple | cst.Set):
        for element in node.elements:
            yield element.value
    else:
        yield node


def _shared_place(node: ast.expr, scope: Scope, rule: SharedCancellable) -> str | None:
    match node:
        case ast.Attribute(value, name):
            if rule.made_here(value, scope) or _assigned_here(node, scope):
                return None
            return f"the attribute `{name}`"
        case ast.Subscript(value, _):
            return _container(value, scope, rule)
        case ast.Call(ast.Attribute(value, name)) if name in _LOOK_UPS:
            return _container(value, scope, rule) if rule.is_mapping(value, scope) else None
        case ast.Name(name):
            return _name(name, scope, rule)
        case ast.IfExp(_, body, orelse):
            return _shared_place(body, scope, rule) or _shared_place(orelse, scope, rule)
    return None


def _container(node: ast.expr, scope: Scope, rule: SharedCancellable) -> str | None:
    """What makes a container shared."""
    match node:
        case ast.Attribute(value, name):
            return None if rule.made_here(value, scope) else f"the attribute `{name}`"
        case ast.Name(name) if not _is_local(name, scope):
            return f"the variable `{name}`"
        case ast.Subscript(value, _):
            return _container(value, scope, rule)
    return None


def _name(name: str, scope: Scope, rule: SharedCancellable) -> str | None:
    """What a name takes its value from: other places through its bindings, or itself."""
    if not _is_local(name, scope):
        outer = scope.parent
        while outer:
            if outer.node and name in outer.bindings:
                return None if _is_parameter(name, outer) else f"the closure variable `{name}`"
            outer = outer.parent
        return f"the variable `{name}`"
    for binding in scope.bindings[name]:
        if binding.kind == "value" and binding.value is not None and not binding.path:
            if isinstance(binding.value, ast.Name):
                continue
            place = _shared_place(binding.value, scope, rule)
        elif binding.kind == "element" and binding.value is not None:
            place = _container(binding.value, scope, rule)
        else:
            continue
        if place:
            return place
    return None


def _is_local(name: str, scope: Scope) -> bool:
    return scope.node is not None and name in scope.bindings


def _is_parameter(name: str, scope: Scope) -> bool:
    return any(binding.kind == "parameter" for binding in scope.bindings[name])


def _assigned_here(node: ast.Attribute, scope: Scope) -> bool:
    """Whether the function itself has put a new value into the attribute, on every path here."""
    if not isinstance(scope.node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    place = (node.lineno, node.col_offset)
    around = list(scope.block_at(place).chain())
    text = ast.unparse(node)
    return any(
        isinstance(inner, ast.Assign)
        and (inner.lineno, inner.col_offset) < place
        and scope.block_at((inner.lineno, inner.col_offset)) in around
        and isinstance(inner.value, ast.Call)
        and any(ast.unparse(target) == text for target in inner.targets)
        for inner in own_nodes(scope.node.body)
    )


def screen(unit: Unit) -> bool:
    """Whether the unit waits for, or returns, something that is not simply a call."""
    return any(
        _may_be_shared(unit, node, scope)
        for statement, scope in unit.statements
        for node in _handed_on(statement)
    )


def _handed_on(statement: ast.stmt) -> Iterator[ast.expr]:
    """The expressions of one statement that are awaited, returned or passed on."""
    if isinstance(statement, ast.Return) and statement.value:
        yield statement.value
    stack = [child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.expr)]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Await | ast.Yield) and node.value:
            yield node.value
        stack.extend(child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))


def _may_be_shared(unit: Unit, node: ast.expr, scope: Scope) -> bool:
    resolver = unit.file.resolver
    if isinstance(node, ast.Call):
        roles = unit.file.roles(node.func, scope)
        if roles & _GATHERERS:
            return True
        if roles & _TRANSPARENT:
            return any(_may_be_shared(unit, argument, scope) for argument in node.args)
        if Role.CHAINER in roles and isinstance(node.func, ast.Attribute):
            return _may_be_shared(unit, node.func.value, scope)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name not in _LOOK_UPS:
            return False
    elif not isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.IfExp):
        return False
    return resolver.awaitability(resolver.type_of(node, scope)).kind in _EAGER


RULE = Rule(
    code="LCX303",
    name="shared-cancellable",
    fixes="`stop_cancellation(...)` / `asyncio.shield(...)` (unsafe)",
    visitor=SharedCancellable,
    screen=screen,
    module=__name__,
)
