"""A shared awaitable is waited for, so that cancelling one waiter cancels all.

## Why

Cancelling a request cancels the Deferred (or task, or future) that it waits for. One that is taken
from an attribute, a cache, a module variable or a closure may have other waiters: all of them see a
`CancelledError` because one client went away.

That there are others is known where a function waits for what is pending instead of starting it
again, where several functions wait, or where a public method returns the value to whoever calls it.
An awaitable with one waiter only may be cancelled with it: that of an object which the waiter has
made, what an iterator waits for, what is removed after the wait. So may one on whose cancellation
a done callback acts, and one whose waiters cancel it on purpose, or raise only where
`asyncio.current_task().cancelling()` says that they are cancelled themselves. Code with log
contexts, where every request can be cancelled, is held to more: there anything shared has to be
protected.

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

    async def send(self, text: str) -> None:
        await self._ready
        print(text)

    async def ask(self, text: str) -> str:
        await self._ready
        return input(text)
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

    async def send(self, text: str) -> None:
        await asyncio.shield(self._ready)
        print(text)

    async def ask(self, text: str) -> str:
        await asyncio.shield(self._ready)
        return input(text)
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

from logctx_lint.analysis.awaitables.registered_callbacks import registered_at
from logctx_lint.analysis.cancellation.cancelled_tasks import Cancels, containers
from logctx_lint.analysis.context import TreeContext, arguments, as_try
from logctx_lint.analysis.deferreds.shared_state import LOOK_UPS, Sharing
from logctx_lint.analysis.deferreds.stored_elements import stored_in_mapping
from logctx_lint.analysis.deferreds.waiters import Waiters
from logctx_lint.analysis.exception_handlers import Cancellation, caught_by
from logctx_lint.analysis.shields import is_shield
from logctx_lint.analysis.units import File, Unit
from logctx_lint.config.settings import Storage
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Applicability, Fix
from logctx_lint.fixes.edits import Helper, helper, wrapped
from logctx_lint.inference import protocols
from logctx_lint.inference.class_members import PROPERTIES
from logctx_lint.inference.types import (
    Awaitability,
    Certainty,
    Instance,
    Kind,
    members_of,
    without_none,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import body_nodes, call_arguments, is_name, own_nodes

_EAGER = frozenset({Kind.DEFERRED, Kind.FUTURE, Kind.TASK})
_GATHERERS = frozenset({Role.GATHERER, Role.DEFERRED_LIST, Role.FORWARDING_GATHERER})
_TRANSPARENT = frozenset({Role.YIELDABLE_WRAPPER, Role.DEFERRED_PASSER})
_SCREENED = _GATHERERS | _TRANSPARENT | {Role.CHAINER}
_A = {Kind.DEFERRED: "a Deferred", Kind.FUTURE: "a Future", Kind.TASK: "a Task"}


def check(context: TreeContext) -> None:
    unit, cancels = context.unit, Cancels(context)
    for wait, _ in unit.nodes(ast.Await):
        _check(context, wait.value, "awaited", cancels)
        place = registered_at(context.file, wait.value, context.scopes[wait.value])
        if place and not isinstance(context.parent(wait), ast.Expr):
            _report_registered(context, wait.value, place)
    for left, _ in unit.nodes(ast.Return):
        # What a property gives is looked at where it is waited for.
        if left.value and not _in_property(context, left):
            _check(context, left.value, "returned", cancels)
    for yielded, _ in unit.nodes(ast.Yield):
        if yielded.value and context.awaits_by_yield(context.function_of(yielded)):
            _check(context, yielded.value, "awaited", cancels)
    for call, _ in unit.nodes(ast.Call):
        if context.file.may_play(call.func, _GATHERERS):
            _check_gatherer(context, call, cancels)


def _report_registered(context: TreeContext, node: ast.expr, place: str) -> None:
    if not context.is_placed(node):
        return
    delayer = helper(context, Role.CANCELLATION_DELAYER)
    name = delayer.text if delayer else "delay_cancellation"
    text = context.line(node)
    fixes: tuple[Fix, ...] = ()
    if delayer:
        edits = (*wrapped(context, node, name), *delayer.imports)
        fixes = (Fix(f"Protect it with {name}()", Applicability.UNSAFE, edits),)
    context.report(
        RULE.code,
        node,
        f"`{text}` calls what others have registered in {place} and is awaited as it is, so "
        "that a cancellation reaches code that need not be ready for it; elsewhere this "
        f"package protects such calls: `{name}({text})`",
        fixes,
    )


def _in_property(context: TreeContext, node: ast.Return) -> bool:
    function = context.function_of(node)
    return isinstance(function, FunctionNode) and any(
        name in PROPERTIES
        for decorator in function.decorator_list
        for name in context.names(decorator)
    )


def _check_gatherer(context: TreeContext, call: ast.Call, cancels: Cancels) -> None:
    roles = context.roles(call)
    if roles.isdisjoint(_GATHERERS) or _is_shielded(context, call):
        return
    # It gives what the one gives, and cancels that when its time is over, too.
    use = "waited for" if Role.TIME_LIMITER in roles else "gathered"
    for argument in call.args if Role.ARGUMENT_GATHERER in roles else call.args[:1]:
        given = argument.value if isinstance(argument, ast.Starred) else argument
        for element in _elements(given):
            _check(context, element, use, cancels)
        _check_container(context, given, cancels)


def _is_shielded(context: TreeContext, node: ast.expr) -> bool:
    """Whether what a gatherer gives goes through a shield, itself or as a local name."""
    taker = context.taker(node)
    if taker:
        return is_shield(context, taker) or (
            bool(context.roles(taker) & _TRANSPARENT) and _is_shielded(context, taker)
        )
    match context.parent(node):
        case ast.Attribute():
            call = context.method_call(node)
            return call is not None and _is_shielded(context, call)
        case ast.Assign([ast.Name(name)]):
            function = context.function_of(node)
            return isinstance(function, FunctionNode) and any(
                is_name(inner, name)
                and (context.taker(inner) or isinstance(context.parent(inner), ast.Attribute))
                and _is_shielded(context, inner)
                for inner in body_nodes(function)
            )
    return False


def _check(context: TreeContext, node: ast.expr, use: str, cancels: Cancels) -> None:
    taken = _unwrapped(context, node)
    scope = context.scopes[taken]
    answer = _eager(context.file, taken, scope) if context.is_placed(taken) else None
    # A union with something that is no awaitable is not waited for as such.
    if answer is None or (use != "awaited" and not answer.is_certain):
        return
    place = Sharing(context.resolver).place(taken, scope)
    if place is None or cancels.reach(taken, [taken]):
        return
    is_deferred = answer.kind is Kind.DEFERRED
    profile = Waiters(context).profile(taken, use, is_deferred=is_deferred)
    if profile is None:
        return
    of = Cancellation.TWISTED if is_deferred else Cancellation.ASYNCIO
    shield = _shield(context, is_deferred=is_deferred)
    name = shield.text if shield else "stop_cancellation"
    text = context.line(taken)
    fixes: tuple[Fix, ...] = ()
    if shield and not _gives_up(context, taken, of) and not _is_handed_out(context, taken, use):
        edits = (*wrapped(context, taken, shield.text), *shield.imports)
        fixes = (Fix(f"Protect it with {name}()", Applicability.UNSAFE, edits),)
    context.report(
        RULE.code,
        taken,
        f"`{text}` is {_A[answer.kind]} shared through {place} and {use} as it is, so that "
        f"cancelling one waiter cancels all: {_advice(shield, f'protect it, `{name}({text})`')}",
        fixes,
        profile=profile,
    )


def _gives_up(context: TreeContext, node: ast.expr, of: Cancellation) -> bool:
    """Whether a waiter that is cancelled takes back what it waits for: it must not go on then.

    try:
        await self._starting
    except BaseException:
        await self.stop()
        raise
    """
    inner: ast.AST = node
    for outer in context.around(node):
        if isinstance(outer, FunctionNode):
            break
        attempt = as_try(outer)
        if attempt is not None and inner in attempt.body:
            for handler in attempt.handlers:
                catches = of in caught_by(context, handler.type).cancellation
                if catches and any(map(_waits, own_nodes(handler.body))):
                    return True
        inner = outer
    return False


def _waits(node: ast.AST) -> bool:
    return isinstance(node, ast.Await | ast.Yield)


def _is_handed_out(context: TreeContext, node: ast.expr, use: str) -> bool:
    """Whether a caller gets an object of a class of the project's own: a shield is another one."""
    return use == "returned" and any(
        isinstance(each, Instance) and not each.cls.module.is_stub
        for each in members_of(context.resolver.type_of(node, context.scopes[node]))
    )


def _check_container(context: TreeContext, node: ast.expr, cancels: Cancels) -> None:
    """All that something shared holds, gathered at once."""
    if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp):
        return
    if not context.is_placed(node):
        return
    resolver, scope = context.resolver, context.scopes[node]
    answer = resolver.awaitability(protocols.iterated(resolver, resolver.type_of(node, scope)))
    place = Sharing(resolver).container(node, scope) if answer.kind in _EAGER else None
    if place is None or not answer.is_certain or cancels.reach(node, containers(node)):
        return
    traits = context.file.traits
    if not traits.has_log_contexts and traits.storage is not Storage.THREAD_LOCAL:
        # Who gathers all that there are ends them, as a rule.
        return
    shield = _shield(context, is_deferred=answer.kind is Kind.DEFERRED)
    name = shield.text if shield else "stop_cancellation"
    context.report(
        RULE.code,
        node,
        f"what `{context.line(node)}` holds is shared through {place} and gathered as it is, so "
        f"that cancelling one waiter cancels all: "
        f"{_advice(shield, f'protect each one, `{name}(...)`')}",
    )


def _advice(shield: Helper | None, protect: str) -> str:
    return protect if shield else "give each waiter a Deferred of its own"


def _unwrapped(context: TreeContext, node: ast.expr) -> ast.expr:
    """What is really waited for: wrappers that pass a cancellation on taken away."""
    while isinstance(node, ast.Call):
        roles = context.roles(node)
        given = arguments(node)
        if roles & _TRANSPARENT and given:
            is_cast = "typing.cast" in context.names(node)
            node = given[-1 if is_cast else 0]
        elif Role.CHAINER in roles and isinstance(node.func, ast.Attribute):
            node = node.func.value
        else:
            break
    return node


def _shield(context: TreeContext, *, is_deferred: bool) -> Helper | None:
    wanted = ".stop_cancellation" if is_deferred else "asyncio.shield"
    return helper(context, Role.CANCELLATION_SHIELD, lambda name: name.endswith(wanted))


def _elements(node: ast.expr) -> Iterator[ast.expr]:
    """What a gatherer is given: the elements of a display, or the one value."""
    match node:
        case ast.List(elements) | ast.Tuple(elements) | ast.Set(elements):
            for element in elements:
                yield element.value if isinstance(element, ast.Starred) else element
        case ast.ListComp(element) | ast.GeneratorExp(element) | ast.SetComp(element):
            yield element
        case ast.BinOp(left, ast.Add(), right):
            yield from _elements(left)
            yield from _elements(right)
        case _:
            yield node


def _eager(file: File, node: ast.expr, scope: Scope) -> Awaitability | None:
    """What kind of eager awaitable an expression is; one that may be None counts."""
    answer = file.resolver.awaitability(without_none(file.resolver.type_of(node, scope)))
    known = answer.certainty in (Certainty.YES, Certainty.SOME)
    if answer.certainty is Certainty.UNKNOWN:
        return stored_in_mapping(file, node, scope)
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
    for call, scope in unit.nodes(ast.Call) if unit.may_call(_GATHERERS) else ():
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
        inner += call_arguments(call)
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
    fixes="`stop_cancellation(...)` / `asyncio.shield(...)` (unsafe)",
    screen=screen,
    check=check,
)
