"""Two ways fire one Deferred, or set one Future, and neither looks whether the other has.

## Why

A Deferred fires once, and a Future gets one result. Where a time limit fails what waits for an
answer and leaves it where it was, the late answer raises `AlreadyCalledError` or
`InvalidStateError` in whatever code received it; so does a time limit that nobody cancelled when
the answer came.

So do an `errback` without `return` before the `callback`, a `connectionLost` that fires what an
answer has fired, and an answer to what `wait_for` has cancelled when its time was over. A timer
that is still there sets a Future that a cancelled waiter has cancelled, as in
[aiocron 19](https://github.com/gawel/aiocron/issues/19); so does a loop over all waiters, which
leaves those behind that one waiting forever.

The shape of [Tribler 4191](https://github.com/Tribler/tribler/issues/4191).

## Bad

```python
from twisted.internet import reactor
from twisted.internet.defer import Deferred


class Caller:
    def __init__(self) -> None:
        self.waiting: "dict[int, Deferred[str]]" = {}

    def call(self, number: int) -> None:
        self.waiting[number] = Deferred()
        reactor.callLater(5, self.too_late, number)

    def too_late(self, number: int) -> None:
        self.waiting[number].errback(TimeoutError())

    def answered(self, number: int, text: str) -> None:
        self.waiting[number].callback(text)
```

## Good

```python
from twisted.internet import reactor
from twisted.internet.defer import Deferred


class Caller:
    def __init__(self) -> None:
        self.waiting: "dict[int, Deferred[str]]" = {}

    def call(self, number: int) -> None:
        self.waiting[number] = Deferred()
        reactor.callLater(5, self.too_late, number)

    def too_late(self, number: int) -> None:
        waiting = self.waiting.pop(number, None)
        if waiting:
            waiting.errback(TimeoutError())

    def answered(self, number: int, text: str) -> None:
        waiting = self.waiting.pop(number, None)
        if waiting:
            waiting.callback(text)
```

## Fix

None.

## When not to use it

Where something else makes sure of it. Code that takes the Deferred out, forgets it, cancels the
timer or asks whether it was fired is silent.

## Use instead

`pop`, or `Deferred.addTimeout`; `logctx_lint.runtime.ObservableDeferred` where several wait.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.deferreds.cancelled_waiters import set_from_thread, set_in_a_row
from logctx_lint.analysis.deferreds.fired_twice import (
    FIRING,
    Twice,
    after_the_wait,
    at_end_too,
    by_timer,
    is_timer,
    late_answers,
    on_one_path,
)
from logctx_lint.analysis.started_tasks import class_node
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Profile
from logctx_lint.inference.types import Kind
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import all_nodes

_MAKERS = frozenset({"twisted.internet.defer.Deferred", "asyncio.Future", "asyncio.futures.Future"})
_ENDS = frozenset({Role.CONNECTION_END})
_FACTORY_END = "clientConnectionLost"
_ASKING = frozenset({"called", "done", "pop", "cancelled", "cancel", "active"})
_ONCE = frozenset({Kind.DEFERRED, Kind.FUTURE})


@dataclass(frozen=True, slots=True)
class _Fired:
    method: FunctionNode
    call: ast.Call


def check(context: TreeContext) -> None:
    node = context.unit.node
    if not isinstance(node, FunctionNode):
        return
    for twice in (*on_one_path(node), *by_timer(context, node)):
        _report(context, twice)
    for function in context.unit.scopes:
        if isinstance(function, ast.AsyncFunctionDef):
            _check_timers(context, function)
            for found in set_from_thread(function):
                context.report(
                    RULE.code,
                    found.setting,
                    f"when the waiting in line {found.waiting.lineno} is cancelled, so is "
                    f"`{found.place}`, and setting it fails: hand over a function that asks "
                    f"`{found.place}.done()` first",
                    profile=Profile.STRICT,
                )
    if context.unit.scope.owner is not None:
        _check_class(context, node)


def _report(context: TreeContext, found: Twice) -> None:
    context.report(
        RULE.code,
        found.first,
        f"`{found.place}` is fired here and in line {found.second.lineno}, and nothing sees to it "
        "that only one of them does: the second one fails",
    )


def _check_timers(context: TreeContext, function: ast.AsyncFunctionDef) -> None:
    for timer, waiting, firing in after_the_wait(context, function):
        is_kept = isinstance(context.parent(timer), ast.Assign)
        context.report(
            RULE.code,
            timer,
            f"when the waiting in line {waiting.lineno} is cancelled, so is the Future, and this "
            f"timer sets it all the same (line {firing.lineno}), which fails: cancel the timer in "
            "`finally`, or ask `done()`",
            profile=Profile.STRICT if is_kept else Profile.RECOMMENDED,
        )


def _check_class(context: TreeContext, node: FunctionNode) -> None:
    for found in set_in_a_row(context, node):
        context.report(
            RULE.code,
            found.setting,
            f"where one of those who wait (line {found.waiting.lineno}) has been cancelled, its "
            f"Future is still in `{found.place}`, and this fails: all behind it wait forever; ask "
            "`done()`",
        )
    cls: ast.ClassDef | None = None
    is_end = context.file.vocabulary.has_bare_name(node.name, _ENDS) or node.name == _FACTORY_END
    if is_end or isinstance(node, ast.AsyncFunctionDef):
        cls = class_node(context)
    if cls is not None and is_end:
        for twice in at_end_too(cls, node, _is_careless):
            if _is_fired_once(context, cls, twice.second.value, twice.place):  # type: ignore[attr-defined]
                context.report(
                    RULE.code,
                    twice.second,
                    f"`{twice.place}` is fired in line {twice.first.lineno}, and here again, as "
                    f"`{node.name}()` is called at the end of every connection: the second one "
                    "fails; forget it when it has fired",
                )
    if cls is not None and isinstance(node, ast.AsyncFunctionDef):
        for twice in late_answers(context, cls, node):
            context.report(
                RULE.code,
                twice.first,
                f"when its time is over, what `{twice.place}` keeps is cancelled and stays there: "
                f"an answer that comes late fails in line {twice.second.lineno}; take it out in "
                "`finally`",
            )
    for call in _firing(node):
        cls = cls or class_node(context)
        place = _place(node, call)
        if cls is None or place is None or not _is_careless(node, place):
            continue
        assert isinstance(call.func, ast.Attribute)
        if not _is_fired_once(context, cls, call.func.value, place):
            continue
        other = _other(cls, node, place)
        if other is not None and _is_timed(context, cls, node.name):
            context.report(
                RULE.code,
                call,
                f"`{place}` is fired by this timer and in line {other.call.lineno}, and neither "
                "takes it away or asks whether it has fired: the second one fails; `pop` it",
            )


def _is_fired_once(context: TreeContext, cls: ast.ClassDef, held: ast.expr, place: str) -> bool:
    """Whether it is a Deferred or Future, by its type or by what the class puts there."""
    answer = context.awaitability(held)
    if answer.is_certain:
        return answer.kind in _ONCE
    for method in cls.body:
        if isinstance(method, FunctionNode):
            assigned = [each for each in all_nodes(method) if isinstance(each, ast.Assign)]
            made = {
                target.id
                for each in assigned
                for target in each.targets
                if isinstance(target, ast.Name) and _makes(context, each.value)
            }
            for each in assigned:
                is_made = _makes(context, each.value) or getattr(each.value, "id", "") in made
                if is_made and any(ast.unparse(_base(target)) == place for target in each.targets):
                    return True
    return False


def _base(target: ast.expr) -> ast.expr:
    return target.value if isinstance(target, ast.Subscript) else target


def _makes(context: TreeContext, value: ast.expr) -> bool:
    if not isinstance(value, ast.Call):
        return False
    if isinstance(value.func, ast.Attribute) and value.func.attr == "create_future":
        return True
    scope = Scope(context.file.module)
    return bool(_MAKERS & set(context.resolver.names(value.func, scope)))


def _firing(method: FunctionNode) -> Iterator[ast.Call]:
    for node in all_nodes(method):
        match node:
            case ast.Call(ast.Attribute(_, name)) if name in FIRING:
                yield node


def _place(method: FunctionNode, call: ast.Call) -> str | None:
    """The attribute of the object that holds, or is, what a call fires, or what a name does."""
    assert isinstance(call.func, ast.Attribute)
    held = call.func.value
    if isinstance(held, ast.Name):
        values = [value for each in all_nodes(method) if (value := _bound(each, held.id))]
        held = values[0] if len(values) == 1 else held
    match held:
        case ast.Subscript(holder) | ast.Call(ast.Attribute(holder, "get"), [_, *_]):
            held = holder
    match held:
        case ast.Attribute(ast.Name("self"), name):
            return f"self.{name}"
    return None


def _bound(node: ast.AST, name: str) -> ast.expr | None:
    """What a node binds a name to."""
    match node:
        case ast.Assign([ast.Name(bound)], value) | ast.NamedExpr(ast.Name(bound), value):
            return value if bound == name else None
    return None


def _is_careless(method: FunctionNode, place: str) -> bool:
    """Whether a method neither takes away what it fires, nor asks about it."""
    for node in all_nodes(method):
        match node:
            case ast.Attribute(_, name) if name in _ASKING and ast.unparse(node) != place:
                return False
            case ast.Delete() | ast.Try() | ast.Compare(_, [ast.In() | ast.NotIn()]):
                return False
            case ast.Assign(targets) if any(ast.unparse(each) == place for each in targets):
                return False
            case ast.Attribute() if isinstance(node.ctx, ast.Store) and ast.unparse(node) == place:
                return False
    return True


def _other(cls: ast.ClassDef, method: FunctionNode, place: str) -> _Fired | None:
    for each in cls.body:
        if isinstance(each, FunctionNode) and each is not method and _is_careless(each, place):
            for call in _firing(each):
                if _place(each, call) == place:
                    return _Fired(each, call)
    return None


def _is_timed(context: TreeContext, cls: ast.ClassDef, name: str) -> bool:
    """Whether a method of the class hands a method of this name to a timer."""
    for node in all_nodes(cls):
        if isinstance(node, ast.Call) and is_timer(context, node):
            for each in node.args:
                if isinstance(each, ast.Attribute) and each.attr == name:
                    return True
    return False


def screen(unit: Unit) -> bool:
    """Whether the unit fires something, or waits with a time limit, or beside a timer."""
    return any(f".{name}" in unit.text for name in FIRING) or any(
        name in unit.text for name in ("wait_for", "call_later", "call_at", "call_soon_threadsafe")
    )


RULE = Rule(
    code="LCX507",
    fixes="none",
    screen=screen,
    check=check,
)
