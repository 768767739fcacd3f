"""A shared awaitable is waited for, so that cancelling one waiter cancels all.

## Why

Cancelling a request cancels the Deferred (or task, or future) that it waits for. One that is taken
from an attribute, a cache, a module variable or a closure may have other waiters: all of them see a
`CancelledError` because one client went away.

So may what a registered callback gives (`for callback in self.callbacks: await callback(...)`), and
it is other people's code, which need not be ready to be cancelled. That is flagged only where the
package protects such calls elsewhere, and only where the answer is used.

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
from logctx_lint.project import protocols
from logctx_lint.project.classes import PROPERTIES
from logctx_lint.project.scopes import Scope
from logctx_lint.project.types import Awaitability, Certainty, Kind, without_none
from logctx_lint.rules.base import Rule, RuleVisitor
from logctx_lint.rules.cancels import Cancels, containers
from logctx_lint.rules.context import RuleContext
from logctx_lint.rules.edits import Helper, helper, wrapped
from logctx_lint.rules.nodes import own_code
from logctx_lint.rules.registered import registered_at
from logctx_lint.rules.sharing import LOOK_UPS, Sharing
from logctx_lint.screen import File, Unit
from logctx_lint.vocabulary import Role

_EAGER = frozenset({Kind.DEFERRED, Kind.FUTURE, Kind.TASK})
_GATHERERS = frozenset({Role.GATHERER, Role.DEFERRED_LIST, Role.FORWARDING_GATHERER})
_TRANSPARENT = frozenset({Role.YIELDABLE_WRAPPER, Role.DEFERRED_PASSER})
_SCREENED = _GATHERERS | _TRANSPARENT | {Role.CHAINER}
_A = {Kind.DEFERRED: "a Deferred", Kind.FUTURE: "a Future", Kind.TASK: "a Task"}


class SharedCancellable(RuleVisitor):
    def __init__(self, context: RuleContext) -> None:
        super().__init__(context)
        self._sharing = Sharing(context.resolver)
        self._cancels = Cancels(context)

    def visit_Await(self, node: cst.Await) -> None:
        self._check(node.expression, "awaited")
        found = self.context.expression(node.expression)
        if not isinstance(self.context.parent(node), cst.Expr) and found:
            place = registered_at(self.context.file, *found)
            if place:
                self._report_registered(node.expression, place)

    def _report_registered(self, node: cst.BaseExpression, place: str) -> None:
        delayer = helper(self.context, Role.CANCELLATION_DELAYER)
        name = delayer.text if delayer else "delay_cancellation"
        text = " ".join(self.context.text(node).split())
        fixes: tuple[Fix, ...] = ()
        if delayer:
            edits = (*wrapped(self.context, node, name), *delayer.imports)
            fixes = (Fix(f"Protect it with {name}()", Applicability.UNSAFE, edits),)
        self.context.report(
            RULE.code,
            node,
            f"`{text}` calls what others have registered in {place} and is awaited as it is, so "
            "that a cancellation reaches code that need not be ready for it; elsewhere this "
            f"package protects such calls: `{name}({text})`",
            fixes,
        )

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
        if self.context.roles(node).isdisjoint(_GATHERERS) or self._is_shielded(node):
            return
        takes_many = any(name.endswith(".gather") for name in self.context.names(node))
        for argument in node.args if takes_many else node.args[:1]:
            if argument.keyword is None:
                for element in _elements(argument.value):
                    self._check(element, "gathered")
                self._check_container(argument.value)

    def _is_shielded(self, node: cst.CSTNode) -> bool:
        """Whether what a gatherer gives goes through a shield, itself or as a local name."""
        context = self.context
        parent = context.parent(node)
        match parent:
            case cst.Arg():
                call = context.parent(parent)
                if not isinstance(call, cst.Call):
                    return False
                roles = context.roles(call)
                return Role.CANCELLATION_SHIELD in roles or (
                    bool(roles & _TRANSPARENT) and self._is_shielded(call)
                )
            case cst.Attribute():
                call = context.parent(parent)
                return isinstance(call, cst.Call) and self._is_shielded(call)
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))]):
                function = context.function_of(node)
                return isinstance(function, cst.FunctionDef) and any(
                    isinstance(inner, cst.Name)
                    and inner.value == name
                    and isinstance(context.parent(inner), cst.Arg | cst.Attribute)
                    and self._is_shielded(inner)
                    for inner in own_code(function.body)
                )
        return False

    def _check(self, node: cst.BaseExpression, use: str) -> None:
        taken = self._unwrapped(node)
        found = self.context.expression(taken)
        if not found:
            return
        answer = _eager(self.context.file, *found)
        # A union with something that is no awaitable is not waited for as such.
        if answer is None or (use != "awaited" and not answer.is_certain):
            return
        place = self._sharing.place(*found)
        if place is None or self._cancels.reach(taken, [taken]):
            return
        shield = self._shield(is_deferred=answer.kind is Kind.DEFERRED)
        name = shield.text if shield else "stop_cancellation"
        text = " ".join(self.context.text(taken).split())
        fixes: tuple[Fix, ...] = ()
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

    def _check_container(self, node: cst.BaseExpression) -> None:
        """All that something shared holds, gathered at once."""
        found = self.context.expression(node)
        if not found or isinstance(node, cst.BaseComp):
            return
        resolver = self.context.resolver
        answer = resolver.awaitability(protocols.iterated(resolver, resolver.type_of(*found)))
        place = self._sharing.container(*found) if answer.kind in _EAGER else None
        if place is None or not answer.is_certain or self._cancels.reach(node, containers(node)):
            return
        shield = self._shield(is_deferred=answer.kind is Kind.DEFERRED)
        name = shield.text if shield else "stop_cancellation"
        text = " ".join(self.context.text(node).split())
        self.context.report(
            RULE.code,
            node,
            f"what `{text}` holds is shared through {place} and gathered as it is, so that "
            f"cancelling one waiter cancels all: protect each one, `{name}(...)`",
        )

    def _unwrapped(self, node: cst.BaseExpression) -> cst.BaseExpression:
        """What is really waited for: wrappers that pass a cancellation on taken away."""
        while isinstance(node, cst.Call):
            roles = self.context.roles(node)
            if roles & _TRANSPARENT and node.args:
                is_cast = "typing.cast" in self.context.names(node)
                node = node.args[-1 if is_cast else 0].value
            elif Role.CHAINER in roles and isinstance(node.func, cst.Attribute):
                node = node.func.value
            else:
                break
        return node

    def _shield(self, *, is_deferred: bool) -> Helper | None:
        wanted = ".stop_cancellation" if is_deferred else "asyncio.shield"
        return helper(self.context, Role.CANCELLATION_SHIELD, lambda name: name.endswith(wanted))


def _elements(node: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """What a gatherer is given: the elements of a display, or the one value."""
    match node:
        case cst.List() | cst.Tuple() | cst.Set():
            for element in node.elements:
                yield element.value
        case cst.ListComp() | cst.GeneratorExp() | cst.SetComp():
            yield node.elt
        case _:
            yield node


def _eager(file: File, node: ast.expr, scope: Scope) -> Awaitability | None:
    """What kind of eager awaitable an expression is; one that may be None counts."""
    answer = file.resolver.awaitability(without_none(file.resolver.type_of(node, scope)))
    known = answer.certainty in (Certainty.YES, Certainty.SOME)
    return answer if known and answer.kind in _EAGER else None


def screen(unit: Unit) -> bool:
    """Whether the unit waits for, or returns, something that is not simply a call."""
    declares = "global " in unit.text or "nonlocal " in unit.text
    if any(registered_at(unit.file, node.value, scope) for node, scope in unit.nodes(ast.Await)):
        return True
    return any(
        _may_be_shared(unit.file, node, scope, declares=declares)
        for node, scope in _handed_on(unit)
    )


def _handed_on(unit: Unit) -> Iterator[tuple[ast.expr, Scope]]:
    """The expressions that are awaited, returned or gathered."""
    waits: list[tuple[ast.Await | ast.Yield | ast.Return, Scope]] = []
    waits += [*unit.nodes(ast.Await), *unit.nodes(ast.Yield), *unit.nodes(ast.Return)]
    for node, scope in waits:
        if node.value is not None:
            yield node.value, scope
    for call, scope in unit.nodes(ast.Call):
        if unit.file.may_play(call.func, _GATHERERS):
            yield call, scope


def _may_be_shared(file: File, node: ast.expr, scope: Scope, *, declares: bool) -> bool:
    match node:
        case ast.Call(func=func):
            if file.may_play(func, _SCREENED):
                return _may_hand_on(file, node, scope, declares=declares)
            if not isinstance(func, ast.Attribute) or func.attr not in LOOK_UPS:
                return False
        case ast.Name(name):
            is_local = scope.node is not None and name in scope.bindings
            if is_local and not declares and not _may_be_taken(name, scope):
                return False
        case ast.Attribute() | ast.Subscript() | ast.IfExp() | ast.BoolOp() | ast.NamedExpr():
            pass
        case _:
            return False
    return _eager(file, node, scope) is not None


def _may_hand_on(file: File, call: ast.Call, scope: Scope, *, declares: bool) -> bool:
    """The same of a call that may be a gatherer or pass on what it is given."""
    roles = file.roles(call.func, scope)
    if roles & _GATHERERS:
        return True
    inner: list[ast.expr] = []
    if roles & _TRANSPARENT:
        inner += [*call.args, *(keyword.value for keyword in call.keywords)]
    if Role.CHAINER in roles and isinstance(call.func, ast.Attribute):
        inner.append(call.func.value)
    return any(_may_be_shared(file, each, scope, declares=declares) for each in inner)


def _may_be_taken(name: str, scope: Scope) -> bool:
    """Whether a local name may hold what was taken from somewhere else."""
    return any(
        binding.kind == "element"
        or (
            binding.kind == "value"
            and (
                not isinstance(binding.value, ast.Call)
                or (
                    isinstance(binding.value.func, ast.Attribute)
                    and binding.value.func.attr in LOOK_UPS
                )
            )
        )
        for binding in scope.bindings[name]
    )


RULE = Rule(
    code="LCX303",
    name="shared-cancellable",
    fixes="`stop_cancellation(...)` / `asyncio.shield(...)` (unsafe)",
    visitor=SharedCancellable,
    screen=screen,
    module=__name__,
)
