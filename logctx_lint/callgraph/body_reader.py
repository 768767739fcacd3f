"""The call-graph edges of one function: what it calls, awaits, starts or hands on."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from logctx_lint.callgraph.nodes import Nodes
from logctx_lint.callgraph.targets import CallTargets, Reached, Reason
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.class_members import enclosing_scope
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import call_arguments, child_blocks, child_nodes, last_name
from logctx_lint.syntax.excerpts import one_line

_STARTERS = frozenset(
    {Role.BACKGROUND_STARTER, Role.HAND_STARTER, Role.TASK_STARTER, Role.SAFE_DECORATOR}
)
"""What they start is cancelled with whoever waits for what they return, and dropped with it."""
_WAITERS = frozenset(
    {
        Role.YIELDABLE_WRAPPER,
        Role.DEFERRED_PASSER,
        Role.GATHERER,
        Role.DEFERRED_LIST,
        Role.FORWARDING_GATHERER,
    }
)
"""What they are given is waited for with them."""
_RELEVANT = frozenset({*_STARTERS, *_WAITERS, Role.CANCELLATION_SHIELD, Role.CALLBACK_TAKER})
_CHAINERS = frozenset({"addCallback", "addErrback", "addBoth", "addCallbacks"})
_SCOPED = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_WRAPPERS_DEPTH = 2
"""A decorator with arguments holds the decorator, which holds the wrapper."""


class EdgeKind(str, Enum):
    """How one function makes another one run; the values are what a person reads."""

    CALLS = "calls"
    HANDS_ON = "hands on"
    """Gives it to something that it calls, which may call it."""
    IS_WRAPPED = "is wrapped by"
    """One of its decorators makes the function that callers get."""
    BACKGROUND = "starts in background"
    DROPPED = "makes and never awaits"
    """A coroutine that nothing drives: the function does not run at all."""
    PROTECTED = "protects from cancellation"

    @property
    def is_cancelled(self) -> bool:
        """Whether cancelling the caller cancels what it makes run."""
        return self not in (EdgeKind.BACKGROUND, EdgeKind.DROPPED, EdgeKind.PROTECTED)


@dataclass(frozen=True, slots=True)
class Call:
    """One place where a function makes another one run."""

    line: int
    function: Function
    how: EdgeKind


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A call that may reach first-party code, nobody knows which."""

    line: int
    text: str
    reason: Reason
    is_awaited: bool

    @property
    def matters(self) -> bool:
        """Whether the function waits for something here that is seen nowhere else."""
        return self.is_awaited and self.reason is not Reason.PARAMETER


@dataclass(frozen=True, slots=True)
class Calls:
    """What one function makes run."""

    resolved: tuple[Call, ...]
    """In source order, each function once for each way."""
    unresolved: tuple[Unresolved, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """What becomes of the value of an expression."""

    how: EdgeKind = EdgeKind.CALLS
    is_awaited: bool = False
    is_dropped: bool = False
    """It is a statement of its own."""


_HERE = _Place()
_AWAITED = _Place(is_awaited=True)
_DROPPED = _Place(is_dropped=True)


class CallReader:
    """Reads one function."""

    def __init__(self, nodes: Nodes, function: Function) -> None:
        self._nodes = nodes
        self._resolver = nodes.resolver
        self._callees = CallTargets(nodes.resolver, nodes.hierarchy)
        self._function = function
        self._awaits_by_yield = (
            not function.facts.is_async and Role.INLINE_CALLBACKS in nodes.decorator_roles(function)
        )
        self._is_plain = not function.facts.is_async and not self._awaits_by_yield
        self._calls: dict[tuple[Function, EdgeKind], Call] = {}
        self._unresolved: list[Unresolved] = []

    def read(self) -> Calls:
        """What the function makes run."""
        node = self._function.tree()
        if node is not None:
            self._wrappers()
            self._block(node.body, Scope.of_body(self._function, node))
        return Calls(tuple(self._calls.values()), tuple(self._unresolved))

    # The tree

    def _block(self, body: list[ast.stmt], scope: Scope) -> None:
        for statement in body:
            # Functions inside are nodes of their own, if anybody calls them.
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self._statement(statement, scope)
                for block in child_blocks(statement):
                    self._block(block, scope)

    def _statement(self, node: ast.stmt, scope: Scope) -> None:
        match node:
            case ast.Expr(value):
                self._expression(value, scope, _DROPPED)
            case ast.Return(value) if value is not None:
                # Whoever awaits what a plain function returns waits for this.
                self._expression(value, scope, _AWAITED if self._is_plain else _HERE)
            case ast.AsyncWith(items):
                for item in items:
                    self._expression(item.context_expr, scope, _AWAITED)
                    self._protocol(item.context_expr, ("__aenter__", "__aexit__"), scope)
            case ast.AsyncFor(_, iterated):
                self._expression(iterated, scope, _AWAITED)
                self._protocol(iterated, ("__aiter__", "__anext__"), scope)
            case _:
                for child in child_nodes(node):
                    if not isinstance(child, ast.stmt):
                        self._below(child, scope, _HERE)

    def _below(self, node: ast.AST, scope: Scope, place: _Place) -> None:
        """The expressions in a node that is none itself; statements are met elsewhere."""
        if isinstance(node, ast.expr):
            self._expression(node, scope, place)
        elif not isinstance(node, ast.stmt):
            for child in child_nodes(node):
                self._below(child, scope, place)

    def _expression(self, node: ast.expr, scope: Scope, place: _Place) -> None:
        match node:
            case ast.Name() | ast.Constant():
                return
            case ast.Call():
                self._call(node, scope, place)
                return
            case ast.Await():
                place = _Place(place.how, is_awaited=True)
            case ast.Yield():
                place = _Place(place.how, is_awaited=self._awaits_by_yield)
            case ast.IfExp() | ast.BoolOp() | ast.List() | ast.Tuple() | ast.Set() | ast.Starred():
                # Their parts are waited for, or dropped, with them.
                pass
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
                scope = scope.child(node)
                for loop in node.generators:
                    if loop.is_async:
                        self._protocol(loop.iter, ("__aiter__", "__anext__"), scope)
            case _:
                place = _Place(place.how)
                if isinstance(node, ast.Lambda | ast.DictComp):
                    scope = scope.child(node)
        for child in child_nodes(node):
            self._below(child, scope, place)

    def _call(self, node: ast.Call, scope: Scope, place: _Place) -> None:
        func = node.func
        roles = self._roles(func, scope)
        how = _started(place, roles)
        dropped = EdgeKind.BACKGROUND if place.is_dropped and how.is_cancelled else how
        if roles.isdisjoint(_RELEVANT):
            # What those do is known; they are no code that anybody would check.
            is_forgotten = place.is_dropped and how.is_cancelled
            reached_how = EdgeKind.DROPPED if is_forgotten else how
            self._reach(node, scope, reached_how, place.is_awaited)
        on_name = isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name)
        chains = isinstance(func, ast.Attribute) and func.attr in _CHAINERS
        if isinstance(func, ast.Attribute):
            self._expression(func.value, scope, place if chains else _Place(place.how))
        elif isinstance(func, ast.Call):
            # `preserve_fn(f)(x)`
            self._expression(func, scope, _Place(dropped))
        # A callback that is added to a Deferred runs for whoever waits for that.
        handed = how if chains and on_name else dropped
        handed = EdgeKind.HANDS_ON if handed is EdgeKind.CALLS else handed
        waits = place.is_awaited and not roles.isdisjoint(_WAITERS)
        for value in call_arguments(node):
            if isinstance(value, ast.Name | ast.Attribute):
                self._reference(value, scope, handed)
            if isinstance(value, ast.Lambda):
                self._expression(value, scope, _Place(handed))
            else:
                self._expression(value, scope, _Place(how, is_awaited=waits))

    def _wrappers(self) -> None:
        """The coroutines that decorators put around the function."""
        scope = enclosing_scope(self._function)
        for text in self._function.facts.decorators:
            node = parse_expression(text)
            func = node.func if isinstance(node, ast.Call) else node
            for decorator in self._callees.of(func, scope).functions if func else ():
                for wrapper in _inner_functions(decorator, _WRAPPERS_DEPTH):
                    if wrapper.facts.is_async:
                        self._add(self._function.line, wrapper, EdgeKind.IS_WRAPPED)

    # What is reached

    def _reach(self, node: ast.Call, scope: Scope, how: EdgeKind, is_awaited: bool) -> None:
        if not is_awaited and not self._is_defined(node.func):
            return
        reached = self._callees.of(node.func, scope)
        self._add_all(node.lineno, reached, how)
        if reached.reason and (is_awaited or reached.reason is Reason.TYPE):
            text = one_line(node.func)
            waited = is_awaited and how.is_cancelled
            self._unresolved.append(Unresolved(node.lineno, text, reached.reason, waited))

    def _reference(self, node: ast.Name | ast.Attribute, scope: Scope, how: EdgeKind) -> None:
        """A function that is handed to a callee."""
        if self._is_defined(node):
            self._add_all(node.lineno, self._callees.of(node, scope), how)

    def _protocol(self, node: ast.expr, names: tuple[str, ...], scope: Scope) -> None:
        """The methods that `async with` and `async for` call."""
        for name in names:
            if self._nodes.mentions.functions(name):
                method = self._resolver.member(self._resolver.type_of(node, scope), name)
                self._add_all(node.lineno, self._callees.of_type(method), EdgeKind.CALLS)

    def _add_all(self, line: int, reached: Reached, how: EdgeKind) -> None:
        for function in reached.functions:
            if self._nodes.waits(function):
                roles = self._nodes.decorator_roles(function)
                is_started = Role.SAFE_DECORATOR in roles or (
                    how is EdgeKind.DROPPED and not self._nodes.gives_coroutine(function)
                )
                self._add(line, function, EdgeKind.BACKGROUND if is_started else how)

    def _add(self, line: int, function: Function, how: EdgeKind) -> None:
        self._calls.setdefault((function, how), Call(line, function, how))

    # Names

    def _is_defined(self, func: ast.expr) -> bool:
        """Whether the package defines any function of this name; most calls are settled by that."""
        return bool(self._nodes.mentions.functions(last_name(func)))

    def _roles(self, func: ast.expr, scope: Scope) -> frozenset[Role]:
        vocabulary = self._nodes.vocabulary
        name = last_name(func)
        imported = self._function.module.facts_about(name).imports.get(name, ())
        names = [name, *(item.name for item in imported)]
        if not any(vocabulary.has_bare_name(each, _RELEVANT) for each in names):
            return frozenset()
        return vocabulary.roles(self._resolver.names(func, scope))


def _started(place: _Place, roles: frozenset[Role]) -> EdgeKind:
    """How what a call starts runs."""
    if not place.how.is_cancelled:
        return place.how
    if Role.CANCELLATION_SHIELD in roles:
        return EdgeKind.PROTECTED
    if Role.CALLBACK_TAKER in roles or (place.is_dropped and roles & _STARTERS):
        return EdgeKind.BACKGROUND
    return place.how


def _inner_functions(function: Function, depth: int) -> Iterator[Function]:
    """The functions defined in the body of a function, down to some depth."""
    node = function.tree()
    if node is None or not depth:
        return
    for bindings in Scope.of_body(function, node).bindings.values():
        for binding in bindings:
            if binding.function:
                yield binding.function
                yield from _inner_functions(binding.function, depth - 1)
