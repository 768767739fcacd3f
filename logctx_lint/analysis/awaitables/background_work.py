"""Work started in the running log context, and how its end is waited for; reads `ast` only.

What carries the work on is followed by name through one function: the Deferred that the starter
gives, one that the work is handed to resolve, and whatever is made of these.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from logctx_lint.analysis.units import File
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import ADDERS
from logctx_lint.inference.types import Certainty, FunctionType, members_of, union_of
from logctx_lint.inference.use_def import Position, Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import (
    SuspensionOrYield,
    all_nodes,
    body_nodes,
    child_nodes,
    enclosing,
    end_of,
    own_nodes,
    start_of,
)

_STARTERS = frozenset({Role.BACKGROUND_STARTER, Role.HAND_STARTER, Role.SAFE_DECORATOR})
_PASSERS = frozenset({Role.YIELDABLE_WRAPPER, Role.DEFERRED_PASSER})
_GATHERERS = frozenset({Role.GATHERER, Role.DEFERRED_LIST, Role.FORWARDING_GATHERER})
_LONGEST_DETOUR = 3
"""How many functions may pass an observer on."""


class _Wait(Enum):
    """What a cancelled waiter does about the work."""

    ENDS_AT_ONCE = "goes away while the work goes on"
    DELAYED = "goes away when the work has ended"
    OTHER = "ends the work, too, or nothing is known"


@dataclass(frozen=True, slots=True)
class OutlivingWork:
    """A start, and the expression waited for that a cancelled waiter leaves while it goes on."""

    start: ast.Call
    wait: ast.expr


@dataclass(frozen=True, slots=True)
class _Work:
    """What has been started, and all that its end may be waited for through, by its text."""

    start: ast.Call
    carriers: set[str]

    def is_in(self, node: ast.expr) -> bool:
        """Whether a value is, holds or is made of what carries the work on."""
        stack: list[ast.AST] = [node]
        while stack:
            inner = stack.pop()
            if inner is self.start:
                return True
            match inner:
                case ast.Await() | ast.Lambda():
                    continue  # What it gives is no awaitable any more.
                case ast.Name() | ast.Attribute() | ast.Subscript():
                    if ast.unparse(inner) in self.carriers:
                        return True
            stack += child_nodes(inner)
        return False


@dataclass(frozen=True, slots=True)
class _Assignment:
    position: Position
    end: Position
    target: str
    value: ast.expr
    adds: bool
    """Beside what the target holds already: `waiters.append(d)`, `waiters[key] = d`."""


@dataclass(frozen=True)
class Body:
    """One function that is looked at."""

    file: File
    node: FunctionNode
    scope: Scope

    def outliving(self) -> Iterator[OutlivingWork]:
        """The starts whose end is awaited so that a cancelled waiter does not wait for it."""
        waits = list(self._waits()) if self.starts else []
        known: set[ast.expr] = set()
        for start in self.starts:
            work = self._work(start)
            left = None
            for wait in waits:
                how = self._how(work, wait)
                if how is _Wait.DELAYED:
                    break
                if how is _Wait.ENDS_AT_ONCE:
                    left = left or wait
            else:
                if left is not None and left not in known:
                    known.add(left)
                    yield OutlivingWork(start, left)

    def abandoned(self) -> Iterator[ast.Call]:
        """The starts, in `except` or `finally`, that nothing waits for while their context ends."""
        starts = set(self.starts)
        for node in self._nodes:
            if isinstance(node, ast.Expr):
                start = self._unwrapped(node.value)
                if start in starts and self._context_ends_behind(node):
                    yield start

    def left_alone(self) -> Iterator[ast.Call]:
        """The starts of awaitables that nothing waits for, charged to the caller's log context."""
        for node in self._nodes:
            if isinstance(node, ast.Expr):
                value = node.value
                while isinstance(value, ast.ListComp | ast.SetComp):
                    value = value.elt
                start = self._unwrapped(value)
                if (
                    isinstance(start, ast.Call)
                    and self._is_charged_to_caller(node, start)
                    and not self._is_waited_for(start)
                ):
                    yield start

    def _is_waited_for(self, start: ast.Call) -> bool:
        """Whether this function waits for, or returns, something that the work fires at its end."""
        work = self._work(start)
        return any(work.is_in(wait) for wait in self._waits())

    def _is_charged_to_caller(self, statement: ast.Expr, start: ast.Call) -> bool:
        started = self._started(start)
        return (
            started is not None
            and not self._is_guarded(start)
            and not self._own_context(statement, nested=False)
            and not self._opens_own_context(started, nested=False)
            and self._is_awaitable(started)
        )

    def _is_awaitable(self, started: ast.expr) -> bool:
        """Whether what is started is known to go on for a while."""
        resolver = self.file.resolver
        type_ = resolver.type_of(started, self.scope)
        given = resolver.awaitability(union_of([type_, resolver.call_type(type_)]))
        return given.certainty in (Certainty.YES, Certainty.SOME)

    @cached_property
    def starts(self) -> list[ast.Call]:
        """The calls that start work in the running log context, in source order."""
        found = [node for node in self._nodes if isinstance(node, ast.Call) and self._starts(node)]
        return sorted(found, key=start_of)

    @cached_property
    def _nodes(self) -> list[ast.AST]:
        return list(body_nodes(self.node))

    @cached_property
    def _parents(self) -> dict[ast.AST, ast.AST]:
        return {child: node for node in self._nodes for child in child_nodes(node)}

    # Starting

    def _starts(self, call: ast.Call) -> bool:
        """Whether a call starts work in the background, in the context that runs here."""
        started = self._started(call)
        return (
            started is not None
            and not self._is_guarded(call)
            and not self._opens_own_context(started)
        )

    def _started(self, call: ast.Call) -> ast.expr | None:
        """The function that is started by `start(f)`, `keep(f)(x)` or `maybeDeferred(keep(f))`."""
        func = call.func
        if isinstance(func, ast.Call):
            return self._kept(func)
        if not call.args or not self.file.may_play(func, _STARTERS):
            return None
        roles = self.file.roles(func, self.scope)
        if Role.BACKGROUND_PROCESS in roles:
            return None
        if Role.BACKGROUND_STARTER in roles:
            return call.args[0]
        if Role.HAND_STARTER in roles and isinstance(call.args[0], ast.Call):
            return self._kept(call.args[0])
        return None

    def _kept(self, call: ast.Call) -> ast.expr | None:
        """`f` of `preserve_fn(f)`."""
        if not call.args or not self.file.may_play(call.func, _STARTERS):
            return None
        roles = self.file.roles(call.func, self.scope)
        is_kept = Role.SAFE_DECORATOR in roles and Role.BACKGROUND_PROCESS not in roles
        return call.args[0] if is_kept else None

    def _is_guarded(self, node: ast.AST) -> bool:
        """Whether another log context, or none, is current around a node."""
        return any(
            isinstance(outer, ast.With) and self._enters(outer, Role.SENTINEL_GUARD)
            for outer in enclosing(node, self._parents)
        )

    def _enters(self, node: ast.With | ast.AsyncWith, role: Role) -> bool:
        return any(
            isinstance(item.context_expr, ast.Call)
            and role in self.file.roles(item.context_expr.func, self.scope)
            for item in node.items
        )

    def _opens_own_context(self, started: ast.expr, *, nested: bool = True) -> bool:
        """Whether what is started awaits nothing but in a log context of its own."""
        if isinstance(started, ast.Lambda) and isinstance(started.body, ast.Call):
            started = started.body.func
        bodies = list(self._bodies_of(started))
        return bool(bodies) and all(body._is_all_in_own_context(nested) for body in bodies)

    def _is_all_in_own_context(self, nested: bool) -> bool:
        suspended = [node for node in self._nodes if isinstance(node, SuspensionOrYield)]
        return bool(suspended) and all(self._own_context(node, nested=nested) for node in suspended)

    def _own_context(self, node: ast.AST, *, nested: bool = True) -> ast.AST | None:
        """The `with` around a node, in this function, whose log context ends with it.

        One that is nested is its own, but is charged to the one around it.
        """
        return next(
            (
                outer
                for outer in enclosing(node, self._parents)
                if isinstance(outer, ast.With | ast.AsyncWith)
                and self._enters(outer, Role.CONTEXT_MANAGER)
                and (nested or not self._enters(outer, Role.NESTED_CONTEXT))
            ),
            None,
        )

    # Waiting

    def _waits(self) -> Iterator[ast.expr]:
        """What is awaited, or returned for the caller to await, wrappers taken away."""
        yields = [node for node in self._nodes if isinstance(node, ast.Yield)]
        returns = not yields and isinstance(self.node, ast.FunctionDef)
        for node in sorted(
            (each for each in self._nodes if isinstance(each, ast.Await | ast.Yield | ast.Return)),
            key=start_of,
        ):
            if node.value and (returns or not isinstance(node, ast.Return)):
                yield self._unwrapped(node.value)

    def _unwrapped(self, node: ast.expr) -> ast.expr:
        while isinstance(node, ast.Call):
            roles = self.file.roles(node.func, self.scope)
            if roles & _PASSERS and node.args:
                is_cast = "typing.cast" in self.file.resolver.names(node.func, self.scope)
                node = node.args[-1 if is_cast else 0]
            elif Role.CHAINER in roles and isinstance(node.func, ast.Attribute):
                node = node.func.value
            else:
                break
        return node

    def _how(self, work: _Work, wait: ast.expr) -> _Wait:
        follows = self.scope.may_follow(start_of(work.start), start_of(wait))
        if follows or any(node is work.start for node in all_nodes(wait)):
            return self._of(wait, _LONGEST_DETOUR, work)
        return _Wait.OTHER

    def _of(self, wait: ast.expr, detour: int, work: _Work | None = None) -> _Wait:
        """What becomes of the work behind an expression when its waiter is cancelled."""
        wait = self._unwrapped(wait)
        if work and not work.is_in(wait):
            return _Wait.OTHER
        ways: set[_Wait] = set()
        match wait:
            case ast.Call():
                ways = {self._of_call(wait, detour, work)}
            case ast.Name() | ast.Attribute() | ast.Subscript():
                ways = {self._of(value, detour, work) for value in self._values(wait)}
        return next((way for way in _BY_WEIGHT if way in ways), _Wait.OTHER)

    def _of_call(self, call: ast.Call, detour: int, work: _Work | None) -> _Wait:
        roles = self.file.roles(call.func, self.scope)
        if Role.CANCELLATION_DELAYER in roles:
            return _Wait.DELAYED
        if Role.CANCELLATION_SHIELD in roles or Role.OBSERVER in roles:
            return _Wait.ENDS_AT_ONCE
        if roles & _GATHERERS and call.args:
            return self._of(call.args[0], detour, work)
        bodies = self._bodies_of(call.func) if detour and not roles else ()
        leaves = any(
            body._of(value, detour - 1) is _Wait.ENDS_AT_ONCE
            for body in bodies
            for value in body._returned()
        )
        return _Wait.ENDS_AT_ONCE if leaves else _Wait.OTHER

    def _returned(self) -> Iterator[ast.expr]:
        """What a plain function gives its caller."""
        if isinstance(self.node, ast.FunctionDef):
            for node in self._nodes:
                if isinstance(node, ast.Return) and node.value:
                    yield node.value

    # Following values

    @cached_property
    def _assignments(self) -> list[_Assignment]:
        found = []
        for node in self._nodes:
            match node:
                case ast.Assign(targets, value):
                    pairs = [(target, value) for target in targets]
                case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(
                    target, value
                ):
                    pairs = [(target, value)]
                case ast.Call(ast.Attribute(target, name), args) if name in ADDERS:
                    pairs = [(target, argument) for argument in args]
                case _:
                    continue
            place = start_of(node), end_of(node)
            for target, value in pairs:
                adds = isinstance(node, ast.Call)
                found.append(_Assignment(*place, ast.unparse(target), value, adds))
                if isinstance(target, ast.Subscript):
                    found.append(_Assignment(*place, ast.unparse(target.value), value, adds=True))
        return sorted(found, key=lambda each: each.position)

    def _work(self, start: ast.Call) -> _Work:
        """What may carry a start on: its result, what it is to fire, and all made of these."""
        given = [*start.args[1:], *(keyword.value for keyword in start.keywords)]
        work = _Work(start, set(self._fired_by(start)))
        work.carriers.update(
            ast.unparse(value)
            for value in given
            if isinstance(value, ast.Name | ast.Attribute)
            and self.file.is_deferred(value, self.scope)
        )
        while True:
            more = {each.target for each in self._assignments if work.is_in(each.value)} | {
                ast.unparse(each.value)
                for each in self._assignments
                if each.adds and each.target in work.carriers and isinstance(each.value, ast.Name)
            }
            if more <= work.carriers:
                return work
            work.carriers.update(more)

    def _fired_by(self, start: ast.Call) -> Iterator[str]:
        """What the work, or a callback that is added to it, fires when it ends."""
        given = [self._started(start)]
        call = self._parents.get(self._parents.get(start, start))
        while isinstance(call, ast.Call) and Role.CHAINER in self.file.roles(call.func, self.scope):
            given += call.args
            call = self._parents.get(self._parents.get(call, call))
        for function in given:
            for body in self._bodies_of(function) if function else ():
                yield from body._fires()

    def _fires(self, detour: int = 1) -> Iterator[str]:
        """The places outside whose Deferreds this function fires, or a method that it calls."""
        for node in self._nodes:
            match node:
                case ast.Call(ast.Attribute(ast.Name("self"), _) as method) if detour:
                    for body in self._bodies_of(method):
                        yield from body._fires(detour - 1)
                case ast.Call(ast.Attribute(target, "callback" | "errback")):
                    for place in self._places(target):
                        root = place
                        while isinstance(root, ast.Attribute | ast.Subscript):
                            root = root.value
                        if isinstance(root, ast.Name) and (
                            root.id == "self" or root.id not in self.scope.bindings
                        ):
                            yield ast.unparse(place)

    def _places(self, node: ast.expr) -> Iterator[ast.expr]:
        """A place itself; of the target of a loop, the container that is looped over."""
        yield node
        if isinstance(node, ast.Name):
            for binding in self.scope.reaching_name(node):
                if binding.kind == "element" and binding.value is not None:
                    container = binding.value
                    if isinstance(container, ast.Call) and isinstance(
                        container.func, ast.Attribute
                    ):
                        container = container.func.value
                    yield container

    def _bodies_of(self, function: ast.expr) -> Iterator[Body]:
        """The bodies of the project's functions that an expression may name."""
        for member in members_of(self.file.resolver.type_of(function, self.scope)):
            if isinstance(member, FunctionType):
                function_ = member.function.implementation
                node = function_.source_tree()
                if node:
                    yield Body(self.file, node, Scope.of_body(function_, node))

    def _values(self, node: ast.expr) -> list[ast.expr]:
        """What may have been assigned last to a place."""
        text, place = ast.unparse(node), start_of(node)
        before = [
            each
            for each in self._assignments
            if each.target == text
            and each.end <= place
            and self.scope.may_follow(each.position, place)
        ]
        return [
            each.value
            for each in before
            if not any(
                later.position > each.position
                and not later.adds
                and self.scope.block_at(later.position)
                in self.scope.block_at(each.position).chain()
                for later in before
            )
        ]

    # Contexts that end

    def _context_ends_behind(self, statement: ast.Expr) -> bool:
        """Whether a statement of an `except` or `finally` is the last that its context sees."""
        context = self._own_context(statement)
        inner: ast.AST = statement
        for outer in enclosing(statement, self._parents) if context else ():
            if outer is context:
                return False
            if isinstance(outer, ast.Try) and (inner in outer.finalbody or inner in outer.handlers):
                return self._is_left(statement, outer) or self._runs_out(outer, context)
            inner = outer
        return False

    def _is_left(self, statement: ast.Expr, around: ast.Try) -> bool:
        """Whether the block of a handler ends by returning or raising."""
        inside = start_of(around)
        return any(
            block.leaves and block.start > inside
            for block in self.scope.block_at(start_of(statement)).chain()
        )

    def _runs_out(self, node: ast.Try, context: ast.AST | None) -> bool:
        """Whether nothing is awaited any more between a statement and the end of its context."""
        for outer in enclosing(node, self._parents):
            if outer is context:
                break
            if isinstance(outer, ast.For | ast.AsyncFor | ast.While):
                return False
        return not any(
            isinstance(inner, SuspensionOrYield) and start_of(inner) >= end_of(node)
            for inner in own_nodes([context] if context else [])
        )


_BY_WEIGHT = (_Wait.DELAYED, _Wait.ENDS_AT_ONCE)
