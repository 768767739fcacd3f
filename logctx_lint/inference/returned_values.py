"""Which values a plain function returns, and where they come from; see `summaries`."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.future_uses import Body, Uses, cannot_fail, gives_failures
from logctx_lint.inference.futures_elsewhere import FollowedElsewhere, is_failed_outside
from logctx_lint.inference.narrowing import dotted
from logctx_lint.inference.passed_arguments import argument_for, is_passed
from logctx_lint.inference.places_outside import PlacesOutside
from logctx_lint.inference.types import (
    NONE,
    Certainty,
    ClassObject,
    FunctionType,
    Instance,
    Kind,
    Presumed,
    Type,
    members_of,
    type_variables,
    without_none,
)
from logctx_lint.inference.use_def import Binding, Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import body_nodes, last_name, returned_values, start_of

if TYPE_CHECKING:
    from logctx_lint.inference.summaries import Summaries


class Source(Enum):
    """Where a value that a function returns comes from."""

    NOTHING = "nothing"
    """None, or a plain value."""
    ARGUMENT = "argument"
    """What the caller has passed, `self` included."""
    COMPLETED = "completed"
    """An awaitable that is done already."""
    STORED = "stored"
    """What the function has put where others find it."""
    WAITER = "waiter"
    """A Future or Deferred that is made for the caller to wait for, and stored to be fired."""
    ATTRIBUTE = "attribute"
    """What stood there before."""
    STARTED = "started"
    """Work that a background starter looks after."""
    TASK = "task"
    """A new task that is started here, and that only the event loop knows of."""
    PENDING = "pending"
    """A new Future or Deferred."""
    ELEMENT = "element"
    """What a collection that is not made here has held, and may have lost by that."""
    MADE = "made"
    """A new object of some class."""
    FRESH = "fresh"
    """Whatever else, and what is not known."""
    OPEN = "open"
    """What a call gives of which nothing says that it is an awaitable."""
    CIRCULAR = "circular"
    """What the function returns, as far as it is what the function returns."""


@dataclass(frozen=True, slots=True)
class Returned:
    """One of the values that a function may return."""

    source: Source
    can_fail: bool = True
    """Whether somebody has to look at its failure."""
    parameter: str = ""
    """The name of the argument that it is."""
    unless: str = ""
    """The name of an argument in whose stead it is: `if waiter is None: waiter = Deferred()`."""


KEEP_NOTHING = frozenset({"add_done_callback", "get_name", "set_name"})
"""Methods of a task after which nobody has got hold of it."""
UNKNOWN_VALUE = (Returned(Source.FRESH),)
CIRCULAR_VALUE = (Returned(Source.CIRCULAR),)
_SAYS_NOTHING = frozenset({Source.OPEN, Source.CIRCULAR})


def among(values: Iterable[Returned]) -> tuple[Returned, ...]:
    """What some values come to; unknown ones do not count beside known ones."""
    found = tuple(dict.fromkeys(values))
    known = tuple(each for each in found if each.source not in _SAYS_NOTHING)
    if any(each.source is not Source.NOTHING for each in known):
        return known
    return tuple(
        replace(each, source=Source.FRESH) if each.source is Source.OPEN else each for each in found
    )


class ReturnedValues:
    """Follows what one plain function returns to where it comes from."""

    def __init__(
        self, summaries: Summaries, function: Function, node: FunctionNode, scope: Scope
    ) -> None:
        self._summaries = summaries
        self._resolver = summaries.resolver
        self._function = function
        self._scope = scope
        self._node = node
        self._seen: set[Binding] = set()
        self._elsewhere = FollowedElsewhere(summaries, scope)

    # Most functions return nothing, or what a call gives: then none of this is needed.

    @cached_property
    def _body(self) -> Body:
        return Body(self._node)

    @cached_property
    def _nodes(self) -> list[ast.AST]:
        return list(body_nodes(self._node))

    @cached_property
    def _places(self) -> PlacesOutside:
        return PlacesOutside(self._summaries, self._scope, self._nodes)

    def all(self) -> tuple[Returned, ...]:
        return among(each for value in returned_values(self._node) for each in self._of(value))

    def _of(self, value: ast.expr) -> Iterator[Returned]:
        match value:
            case ast.Name() | ast.Attribute() if self._is_cancelled(value):
                yield Returned(Source.ATTRIBUTE, can_fail=False)  # One may wait for its end.
            case ast.Constant() | ast.JoinedStr() | ast.Compare():
                yield Returned(Source.NOTHING, can_fail=False)
            case ast.Attribute() | ast.Subscript():
                yield self._kept(value)
            case ast.Name():
                yield from self._name(value)
            case ast.Call():
                yield from self._call(value)
            case ast.NamedExpr(_, inner):
                yield from self._of(inner)
            case ast.IfExp(_, body, orelse):
                yield from self._of(body)
                yield from self._of(orelse)
            case ast.BoolOp(_, values):
                for each in values:
                    yield from self._of(each)
            case _:
                yield from UNKNOWN_VALUE

    def _kept(self, value: ast.Attribute | ast.Subscript) -> Returned:
        is_stored = ast.unparse(value) in self._places.assigned
        never_fails = isinstance(value, ast.Attribute) and self._never_fails(value)
        return Returned(Source.STORED if is_stored else Source.ATTRIBUTE, not never_fails)

    def _never_fails(self, value: ast.Attribute) -> bool:
        """Whether an attribute of the object, or of another one, holds what cannot fail."""
        summaries, owner = self._summaries, self._function.owner
        if dotted(value.value) == "self":
            return owner is not None and summaries.never_fails(owner, value.attr)
        holders = members_of(self._resolver.type_of(value.value, self._scope))
        return all(
            isinstance(each, Instance)
            and summaries.never_fails(each.cls, value.attr)
            and not is_failed_outside(self._resolver, each.cls, value.attr)
            for each in holders
        )

    def _is_cancelled(self, value: ast.Name | ast.Attribute) -> bool:
        """Whether a function cancels a task, or a future of asyncio, wherever it returns it.

        Where it is asked whether there is one, or whether it is done, the other way is none.
        """
        path, after = dotted(value), (value.lineno, value.col_offset)
        cancelling = [
            each
            for each in (self._body.parent(found) for found in self._body.named(path))
            if isinstance(each, ast.Attribute) and each.attr == "cancel"
        ]
        if not any(self._is_reached(each, path, after) for each in cancelling):
            return False
        answer = self._resolver.awaitability(
            without_none(self._resolver.type_of(value, self._scope))
        )
        return answer.is_certain and answer.kind in (Kind.TASK, Kind.FUTURE)

    def _is_reached(self, method: ast.Attribute, path: str, after: tuple[int, int]) -> bool:
        """Whether a method is called before some place in any case, and for what is there still."""
        place = method.lineno, method.col_offset
        if place > after or any(
            place < (each.lineno, each.col_offset) < after
            for each in self._body.nodes
            if isinstance(each, ast.Name | ast.Attribute)
            and isinstance(each.ctx, ast.Store)
            and dotted(each) == path
        ):
            return False
        call = self._body.parent(method)
        inner = self._body.parent(call) if isinstance(call, ast.Call) else None
        if not isinstance(inner, ast.Expr):
            return False
        outer = self._body.parent(inner)
        while outer is not self._node:
            match outer:
                case ast.If(test) if inner in outer.body and _asks_for(test, path):
                    pass
                case ast.Try() | ast.With() if inner in outer.body:
                    pass
                case _:
                    return False
            inner, outer = outer, self._body.parent(outer)
        return True

    def _name(self, value: ast.Name) -> Iterator[Returned]:
        name = value.id
        bindings = self._scope.reaching_name(value)
        if bindings and self._seen.issuperset(bindings):
            return  # It is returned elsewhere, too.
        found: list[Returned] = []
        for binding in bindings:
            if binding in self._seen:
                continue
            self._seen.add(binding)
            unless = name if self._stands_in(name, binding) else ""
            found += (replace(each, unless=unless) for each in self._bound(name, binding))
        if name in self._places.assigned or (
            name in self._places.put_away and name not in self._places.made_here
        ):
            source: Source | None = Source.STORED
        else:
            source = Source.WAITER if name in self._places.put_away else None
        for each in found or UNKNOWN_VALUE:
            is_value = each.source is Source.NOTHING
            yield each if is_value or not source else replace(each, source=source, parameter="")

    def _stands_in(self, name: str, binding: Binding) -> bool:
        """Whether a parameter is bound anew only where nothing has been passed for it."""
        if not any(each.name == name for each in self._function.facts.parameters):
            return False
        inner: ast.AST | None = binding.value
        while inner is not None and not isinstance(inner, ast.stmt):
            inner = self._body.parent(inner)
        outer = self._body.parent(inner) if inner is not None else None
        return isinstance(outer, ast.If) and inner in outer.body and _is_missing(outer.test, name)

    def _bound(self, name: str, binding: Binding) -> Iterator[Returned]:
        if binding.kind == "parameter" and binding.parameter in ("", "k", "self"):
            is_handled = bool(self._uses(name, binding) & (Uses.ERRBACK | Uses.LOOKED_AT))
            yield Returned(Source.ARGUMENT, can_fail=not is_handled, parameter=name)
            return
        if binding.kind == "element":
            yield Returned(Source.ATTRIBUTE)  # Found among others.
            return
        if binding.kind not in ("value", "annotation") or not binding.value or binding.path:
            yield from UNKNOWN_VALUE
            return
        uses = self._uses(name, binding)
        for each in self._of(binding.value):
            if each.source is Source.TASK and not self._is_only_looked_at(name):
                each = Returned(Source.FRESH, each.can_fail)
            if each.source is Source.PENDING and each.can_fail:
                yield self._pending(name, binding, uses)
            elif Uses.CALLBACK in uses and Uses.ERRBACK not in uses:
                # With callbacks it may wait again, and fail.
                is_done = each.source is Source.COMPLETED
                source = Source.FRESH if is_done else each.source
                yield Returned(source, each.source is not Source.NOTHING, each.parameter)
            elif uses & (Uses.ERRBACK | Uses.LOOKED_AT):
                yield Returned(each.source, can_fail=False, parameter=each.parameter)
            else:
                yield each

    def _is_only_looked_at(self, name: str) -> bool:
        """Whether a name is returned, and else only shown, named or given a callback."""
        for node in self._body.named(name):
            parent = self._body.parent(node)
            outer = self._body.parent(parent) if parent is not None else None
            match parent:
                case ast.Return():
                    continue
                case ast.Attribute(_, method) if isinstance(outer, ast.Call):
                    if method in KEEP_NOTHING and isinstance(self._body.parent(outer), ast.Expr):
                        continue
                case ast.Call(func):
                    if Role.LOG_WRITER in self._summaries.roles(func, self._scope):
                        continue
            return False
        return not any(isinstance(each, ast.Global | ast.Nonlocal) for each in self._body.nodes)

    def _pending(self, name: str, binding: Binding, uses: Uses) -> Returned:
        """What becomes of a Future that is made here."""
        if uses and Uses.UNKNOWN not in uses and cannot_fail(uses):
            if Uses.COMPLETED in uses or Uses.FAILED in uses:
                return Returned(Source.COMPLETED, can_fail=False)
            return Returned(Source.PENDING, can_fail=False)
        if Uses.LOOKED_AT in uses:
            return Returned(Source.PENDING, can_fail=False)
        owner = self._function.owner
        paths = [path for path in self._also_under(binding) if path.startswith("self.")]
        if owner and any(self._summaries.never_fails(owner, path[5:]) for path in paths):
            return Returned(Source.PENDING, can_fail=False)
        return Returned(Source.PENDING)

    def _uses(self, name: str, binding: Binding) -> Uses:
        """What is done here with what a binding binds."""
        found = Uses.NOTHING
        uses = sorted(self._body.named(name), key=start_of)
        for node in uses:
            if binding in self._scope.reaching(name, start_of(node)):
                added = self._body.use(node, self)
                # An errback sees what failed before it, and nothing that comes later.
                if Uses.CALLBACK in added:
                    found &= ~Uses.ERRBACK
                if Uses.ERRBACK in added:
                    found &= ~Uses.CALLBACK
                found |= added
        for path in self._also_under(binding):
            # Only between this binding and the next one of the attribute.
            found |= self._body.uses(path, self) & (Uses.FAILED | Uses.LOOKED_AT)
        return found

    def _also_under(self, binding: Binding) -> list[str]:
        """The attributes that are set to the same value: `future = self._done = Future()`."""
        for node in self._body.nodes:
            if isinstance(node, ast.Assign) and node.value is binding.value:
                return [dotted(each) for each in node.targets if isinstance(each, ast.Attribute)]
        return []

    def as_argument(self, call: ast.Call, argument: ast.expr) -> Uses:
        func = call.func
        if isinstance(func, ast.Attribute) and self._places.outlives(func):
            return Uses.NOTHING  # Put away: whoever takes it out is asked elsewhere.
        return self._elsewhere.as_argument(call, argument)

    def as_attribute(self, path: str) -> Uses:
        return self._elsewhere.as_attribute(path)

    def looks_at_failure(self, callback: ast.expr) -> bool:
        return self._elsewhere.looks_at_failure(callback)

    def effect_of_errback(self, errback: ast.expr) -> Uses:
        return self._elsewhere.effect_of_errback(errback)

    def _call(self, call: ast.Call) -> Iterator[Returned]:
        summaries, scope = self._summaries, self._scope
        roles = summaries.roles(call.func, scope)
        if Role.BACKGROUND_STARTER in roles:
            yield Returned(Source.STARTED)
        elif Role.FIRED in roles:
            yield Returned(Source.COMPLETED)
        elif Role.NEVER_FAILS in roles or gives_failures(call, roles):
            yield Returned(Source.FRESH, can_fail=False)
        elif Role.LOOP_RUNNER in roles:
            yield Returned(Source.NOTHING, can_fail=False)  # What has been waited for.
        elif Role.CANCELLATION_SHIELD in roles and call.args:
            yield from self._of(call.args[0])
        elif Role.DEFERRED_LIST in roles:
            yield Returned(Source.FRESH, can_fail=fails_on_first(call))
        elif Role.CHAINER in roles and isinstance(call.func, ast.Attribute):
            uses = self._body.use(call.func.value, self)
            handled = Uses.ERRBACK in uses
            for each in self._of(call.func.value):
                is_kept = each.source in (Source.ARGUMENT, Source.STORED)
                source = each.source if is_kept else Source.FRESH
                yield replace(each, source=source, can_fail=not handled)
        elif summaries.is_new_future(call, scope):
            yield Returned(Source.PENDING)
        else:
            yield from self._of_callees(call, roles)

    def _of_callees(self, call: ast.Call, roles: frozenset[Role]) -> Iterator[Returned]:
        if roles & {Role.TASK_STARTER, Role.HAND_STARTER}:
            yield self._of_started(call, is_task=Role.TASK_STARTER in roles)
            return
        type_ = self._resolver.type_of(call, self._scope)
        answer = self._resolver.awaitability(type_)
        if answer.certainty is Certainty.NO and type_ != NONE:
            yield Returned(Source.NOTHING, can_fail=False)
            return
        if presumed := [each for each in members_of(type_) if isinstance(each, Presumed)]:
            yield from self._of_presumed(presumed)
            return
        is_open = answer.certainty is Certainty.UNKNOWN
        called = self._resolver.run_by_call(self._resolver.type_of(call.func, self._scope))
        for callee in members_of(called):
            for each in self._of_callee(call, callee):
                is_any = is_open and each.source is Source.FRESH
                yield replace(each, source=Source.OPEN) if is_any else each

    def _of_started(self, call: ast.Call, *, is_task: bool) -> Returned:
        """What a starter gives: a task of its own, unless it may be given one, and give it back."""
        work = self._made(call.args[0]) if call.args else None
        if work is None:
            is_new = is_task and last_name(call.func) == "create_task"
            return Returned(Source.TASK if is_new else Source.FRESH, can_fail=True)
        if gives_failures(work, self._summaries.roles(work.func, self._scope)):
            return Returned(Source.FRESH, can_fail=False)
        inner = self._summaries.of_callee(work.func, self._scope) or []
        handled = bool(inner) and all(each.handles_failures for each in inner)
        if inner and all(each.keeps_itself for each in inner):
            return Returned(Source.STORED, can_fail=not handled)
        return Returned(Source.TASK if is_task else Source.FRESH, can_fail=not handled)

    def _made(self, work: ast.expr) -> ast.Call | None:
        """The call that makes what is started, in place or under a local name."""
        if isinstance(work, ast.Name):
            bindings = self._scope.bindings.get(work.id, [])
            values = [each.value for each in bindings if each.kind == "value" and not each.path]
            work = values[0] if len(values) == len(bindings) == 1 and values[0] else work
        return work if isinstance(work, ast.Call) else None

    def _of_callee(self, call: ast.Call, callee: Type) -> Iterator[Returned]:
        if isinstance(callee, ClassObject):
            yield Returned(Source.MADE)
            return
        if not isinstance(callee, FunctionType):
            yield from UNKNOWN_VALUE
            return
        if self._takes_element(call, callee):
            yield Returned(Source.ELEMENT)
            return
        for each in self._summaries.of(callee.function).returned or UNKNOWN_VALUE:
            if is_passed(self._resolver, call, callee, each.unless, scope=self._scope):
                continue
            argument = argument_for(self._resolver, call, callee, each.parameter)
            if each.source is not Source.ARGUMENT:
                yield each
            elif argument is None:
                yield from UNKNOWN_VALUE
            else:
                for value in self._of(argument):
                    yield replace(value, can_fail=value.can_fail and each.can_fail)

    def _takes_element(self, call: ast.Call, callee: FunctionType) -> bool:
        """`self._waiting.pop()`, `self._tasks.get(name)`: a collection gives what it holds."""
        held = {name for name, _ in callee.bindings}
        return (
            callee.function.module.is_stub
            and not callee.function.facts.is_async
            and isinstance(call.func, ast.Attribute)
            and self._places.is_outside(call.func.value)
            and not held.isdisjoint(
                type_variables(self._resolver.functions.plain_result(callee.function))
            )
        )

    def _of_presumed(self, results: list[Presumed]) -> Iterator[Returned]:
        """What methods of this name give, on an object of which nothing is known."""
        for result in results:
            if result.by_habit:
                yield from UNKNOWN_VALUE
            for function in result.functions:
                found = self._summaries.of(function).returned if not result.by_decorator else ()
                for each in found or UNKNOWN_VALUE:
                    is_own = each.source is Source.ARGUMENT
                    yield Returned(Source.FRESH, each.can_fail) if is_own else each


def _asks_for(test: ast.expr, path: str) -> bool:
    """`task`, `task is not None`, `not task.done()`, and all of them at once."""
    match test:
        case ast.BoolOp(ast.And(), values):
            return all(_asks_for(each, path) for each in values)
        case ast.Compare(asked, [ast.IsNot() | ast.NotEq()], [ast.Constant(None)]):
            return dotted(asked) == path
        case ast.UnaryOp(ast.Not(), ast.Call(ast.Attribute(asked, "done"), [])):
            return dotted(asked) == path
    return dotted(test) == path


def _is_missing(test: ast.expr, name: str) -> bool:
    """`name is None`, `not name`."""
    match test:
        case ast.Compare(ast.Name(found), [ast.Is() | ast.Eq()], [ast.Constant(None)]):
            return found == name
        case ast.UnaryOp(ast.Not(), ast.Name(found)):
            return found == name
    return False


def fails_on_first(call: ast.Call) -> bool:
    """Whether a `DeferredList` fails with the first of its Deferreds; else it never does."""
    given = [each.value for each in call.keywords if each.arg == "fireOnOneErrback"]
    given += call.args[2:3]
    return any(not (isinstance(each, ast.Constant) and not each.value) for each in given)
