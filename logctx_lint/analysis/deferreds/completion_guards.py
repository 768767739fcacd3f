"""Whether completing a Deferred or Future at one place prevents reaching a second place.

def timed_out():                     def answered(value):
    nonlocal settled                     nonlocal settled
    if settled:                          if settled:
        return                               return
    settled = True                       settled = True
    d.errback(TimeoutError())            d.callback(value)

The first function is followed path by path for what it has set where it ends, and the second one
with that, for whether it comes to its own place all the same. So is one function with two places.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from logctx_lint.analysis.control_flow_graph import (
    FlowNode,
    NodeKind,
    expressions,
    flow_graph,
    needed_for,
)
from logctx_lint.analysis.deferreds.completions import called_methods
from logctx_lint.inference.constants import outcome
from logctx_lint.inference.known_names import ADDERS, REMOVERS
from logctx_lint.inference.narrowing import dotted
from logctx_lint.project.facts import FunctionNode, parameters_of
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    assignments,
    body_nodes,
    declared_outer,
    own_nodes,
    stored_names,
)

_MOST_STEPS = 2000
"""How far paths are followed; a longer search is given up, and nothing is known."""
_TOLD = REMOVERS | {"set"}
"""Methods that leave something of what was asked for: `settled.set()`, `waiting.discard(d)`."""
_LOOK_UPS = frozenset({"get", "pop", "popleft"})
_TRUE, _FALSE = ast.Constant(True), ast.Constant(False)
_RAISING = (ast.Call, ast.Await, ast.Yield, ast.YieldFrom, ast.Raise, ast.Assert, ast.Subscript)


@dataclass(frozen=True, slots=True)
class Site:
    """A place that completes something, and the function that it stands in."""

    function: FunctionNode
    node: ast.AST


Known = frozenset[tuple[str, ast.Constant | None]]
"""What code has set, by the texts of places; None for what is not written out."""
_Change = tuple[ast.expr, ast.Constant | None]


@dataclass(frozen=True, slots=True)
class _State:
    known: Known
    has_passed: bool
    is_rebound: bool = False

    def after(self, changes: list[_Change], parts: frozenset[str]) -> _State:
        """What is known behind some changes. One of `parts` puts what is to be completed anew."""
        if not changes:
            return self
        changed = {ast.unparse(place): value for place, value in changes}
        kept = {item for item in self.known if item[0] not in changed}
        is_rebound = self.has_passed and not parts.isdisjoint(changed)
        return replace(
            self,
            known=frozenset(kept | set(changed.items())),
            is_rebound=self.is_rebound or is_rebound,
        )

    def told(self, place: ast.expr) -> _State:
        """What is known when a place has been completed: `d.called`, `future.done()`."""
        told: list[_Change] = [
            (ast.Attribute(place, "called", ast.Load()), _TRUE),
            (ast.Attribute(place, "done", ast.Load()), None),
        ]
        return self.after(told, frozenset())


@dataclass(slots=True)
class _Walked:
    """What following the paths of a function has shown."""

    ends: set[Known] = field(default_factory=set)
    """What is set where the function ends, after the first place."""
    is_reached: bool = False
    """The second place is reached after the first."""
    is_renewed: bool = False
    """On such a path what is completed there is put anew."""
    asked: set[ast.AST] = field(default_factory=set)
    """The tests of something that was set, and to what is not known."""
    is_given_up: bool = False


@dataclass(frozen=True, slots=True)
class _Search:
    """What paths are followed for."""

    first: ast.AST | None = None
    """Behind which place; None: behind the entry."""
    second: ast.AST | None = None
    """Which place may be reached; None: the end."""
    parts: frozenset[str] = frozenset()
    """What, when it is bound anew, puts something new to be completed there."""
    by_error: bool = False
    """The first place is where an error comes from."""


@dataclass(frozen=True)
class Guards:
    """Follows the functions of one class, or of one function."""

    methods: Mapping[str, FunctionNode] = field(default_factory=dict)
    """Those of the class, which are followed where they are called."""

    def bars(self, first: Site, second: Site, *, by_error: bool = False, filled: str = "") -> bool:
        """Whether the second place is not reached in a call that follows one through the first.

        `by_error`: the first place is where an error comes from. `filled`: what the first function
        puts something into, so that whoever asks whether there is something gets on.
        """
        walked = _Walk(self, first.function).follow(
            frozenset(), _Search(first.node, by_error=by_error)
        )
        if walked.is_given_up:
            return True
        seen = {
            frozenset(
                item
                for item in known
                if item[0] != filled
                and self._is_shared(item[0], first.function)
                and self._is_shared(item[0], second.function)
            )
            for known in walked.ends
        }
        walk = _Walk(self, second.function, found=_found_in(second.function, filled))
        return bool(seen) and not any(
            walk.reaches(known, _Search(second=second.node)) for known in seen
        )

    def follows(
        self,
        function: FunctionNode,
        branch: list[ast.stmt],
        first: ast.Attribute,
        second: ast.Attribute,
    ) -> bool:
        """Whether one call comes to two places, and nothing new is put to be completed between.

        `branch`: the block that the first stands in. What was set before says nothing of it.
        """
        parts = frozenset(ast.unparse(each) for each in _chain(second.value))
        walk = _Walk(self, function, frozenset(own_nodes(branch)))
        return walk.reaches(frozenset(), _Search(first, second, parts))

    def _is_shared(self, place: str, function: FunctionNode) -> bool:
        """Whether a place is not a local one of a function, so that others find it."""
        *_, innermost = _chain(ast.parse(place, mode="eval").body)
        if not isinstance(innermost, ast.Name):
            return False
        root = innermost.id
        parameters = [each.arg for each, _, _ in parameters_of(function.args)]
        if function in self.methods.values() and root in parameters[:1]:
            return True
        nodes = list(body_nodes(function))
        local = stored_names(nodes) | set(parameters)
        return root in declared_outer(nodes) or root not in local

    def changes(self, nodes: list[ast.AST], depth: int = 2) -> list[_Change]:
        """What some code sets or fills, itself or in a method of its class that it calls."""
        found: list[_Change] = []
        for node in nodes:
            found += _changed(node)
            for method in called_methods(self.methods, [node]) if depth else ():
                surely = set(method.body)
                for each in body_nodes(method):
                    inner = self.changes([each], depth - 1)
                    is_sure = each in surely or isinstance(each, ast.Call)
                    found += [(place, value if is_sure else None) for place, value in inner]
        return found

    def asks(self, test: ast.AST, known: Known) -> bool:
        """Whether a test, or a method or property that it asks, is about something that was set."""
        places = {place for place, _ in known}
        nodes = list(all_nodes(test))
        for node in list(nodes):
            match node:
                case ast.Attribute(ast.Name("self"), name) if name in self.methods:
                    nodes += own_nodes(self.methods[name].body)
        kinds = ast.Name | ast.Attribute | ast.Subscript
        return any(isinstance(each, kinds) and ast.unparse(each) in places for each in nodes)


class _Walk:
    """Follows the paths of one function."""

    def __init__(
        self,
        guards: Guards,
        function: FunctionNode,
        branch: frozenset[ast.AST] | None = None,
        found: frozenset[str] = frozenset(),
    ) -> None:
        self._guards = guards
        self._branch = branch
        """Where else than behind the first place changes count; None for everywhere."""
        self._found = found
        """Local names for what is known to be there, so that a test of one bars nothing."""
        self._graph = flow_graph(function)
        self._changes: dict[FlowNode, list[_Change]] = {}
        self._forced: dict[ast.AST, bool] = {}

    @cached_property
    def _nodes(self) -> dict[FlowNode, list[ast.AST]]:
        return {each: list(expressions(each)) for each in self._graph.nodes}

    def reaches(self, known: Known, search: _Search) -> bool:
        """Whether the second place is reached behind the first one, or behind the entry.

        A test that asks for what has been set in between is there to say that it must not be.
        """
        walked = self.follow(known, search)
        if walked.is_given_up or walked.is_renewed or not walked.is_reached:
            return False
        for test in walked.asked:
            for truth in (True, False):
                self._forced = {test: truth}
                is_reached = self.follow(known, search).is_reached
                self._forced = {}
                if not is_reached:
                    return False
        return True

    def follow(self, known: Known, search: _Search) -> _Walked:
        walked = _Walked()
        waiting = [(self._graph.entry, _State(known, search.first is None))]
        seen = set(waiting)
        while waiting:
            node, state = waiting.pop()
            for each in self._step(node, state, search, walked):
                if each not in seen:
                    seen.add(each)
                    waiting.append(each)
            if len(seen) > _MOST_STEPS:
                walked.is_given_up = True
                break
        return walked

    def _step(
        self, node: FlowNode, state: _State, search: _Search, walked: _Walked
    ) -> Iterator[tuple[FlowNode, _State]]:
        if node.kind in (NodeKind.END, NodeKind.RAISED):
            if state.has_passed and (search.by_error or node.kind is NodeKind.END):
                walked.ends.add(state.known)
            return
        if state.has_passed and self._evaluates(node, search.second, state.known, walked):
            walked.is_reached = True
            walked.is_renewed = walked.is_renewed or state.is_rebound
            return
        is_first = self._evaluates(node, search.first, state.known, walked)
        passed = replace(state, has_passed=True, is_rebound=False) if is_first else state
        # What the first place itself raises, it has not done; nor to what has come by then.
        is_left = is_first and state.is_rebound
        if not is_left and (target := self._raised_to(node, state, search)):
            yield target, passed if search.by_error else state
        yield from ((each, state) for each in node.handlers)
        if not (is_first and search.by_error):
            yield from self._behind(node, state, passed, search, walked)

    def _raised_to(self, node: FlowNode, state: _State, search: _Search) -> FlowNode | None:
        # Handlers around a wait are there for the end of its time.
        is_handled = search.by_error and state.has_passed and bool(node.handlers)
        return node.raises if _may_raise(node, self._nodes[node]) and not is_handled else None

    def _behind(
        self, node: FlowNode, state: _State, passed: _State, search: _Search, walked: _Walked
    ) -> Iterator[tuple[FlowNode, _State]]:
        """What runs behind a node that raises nothing, and what is known there."""
        counts = passed.has_passed or self._branch is None or node.code in self._branch
        after = passed.after(self._changed_at(node), search.parts) if counts else passed
        if passed is not state and isinstance(search.first, ast.Attribute):
            after = after.told(search.first.value)
        truth = self._truth(node, state.known, walked)
        for target, way in node.next if node.kind is not NodeKind.LEAVE_RAISING else ():
            if truth is None or way is truth:
                yield target, after

    def _changed_at(self, node: FlowNode) -> list[_Change]:
        if node not in self._changes:
            found = self._guards.changes(self._nodes[node])
            match node.code:
                case ast.withitem(_, ast.expr() as target) | ast.For(target) | ast.AsyncFor(target):
                    found += [(each, None) for each in _targets(target)]
            self._changes[node] = [
                change
                for change in found
                if not isinstance(change[0], ast.Name) or change[0].id not in self._found
            ]
        return self._changes[node]

    def _truth(self, node: FlowNode, known: Known, walked: _Walked) -> bool | None:
        """How a test comes out on a path."""
        if node.kind is NodeKind.CASE and node.subject is not None and node.code is not None:
            return self._outcome(node.subject, known, walked, forced_by=node.code, is_value=True)
        if node.kind is NodeKind.TEST and isinstance(node.code, ast.expr):
            return self._outcome(node.code, known, walked, forced_by=node.code)
        return None

    def _outcome(
        self,
        test: ast.expr,
        known: Known,
        walked: _Walked,
        *,
        forced_by: ast.AST,
        is_value: bool = False,
    ) -> bool | None:
        if forced_by in self._forced:
            return self._forced[forced_by]
        found = None if is_value else outcome(test, dict(known).get)
        if found is None and known and self._guards.asks(test, known):
            walked.asked.add(forced_by)
        return found

    def _evaluates(
        self, node: FlowNode, target: ast.AST | None, known: Known, walked: _Walked
    ) -> bool:
        """Whether a place is come to at a node: of `settled or d.callback(x)` not always."""
        if target is None or not any(each is target for each in self._nodes[node]):
            return False
        return node.code is not None and not any(
            self._outcome(test, known, walked, forced_by=test) is (not needed)
            for test, needed in needed_for(target, node.code)
        )


def _found_in(function: FunctionNode, place: str) -> frozenset[str]:
    """The local names for what is looked up in a place: `waiter = self.waiting.pop(key, None)`."""
    found: set[str] = set()
    for target, value in assignments(body_nodes(function)):
        match target, value:
            case ast.Name(name), ast.Call(ast.Attribute(held, method)) if method in _LOOK_UPS:
                if ast.unparse(held) == place:
                    found.add(name)
    return frozenset(found)


def _may_raise(node: FlowNode, nodes: list[ast.AST]) -> bool:
    if node.kind in (NodeKind.DISPATCH, NodeKind.RERAISE, NodeKind.LEAVE_RAISING):
        return True
    return any(isinstance(each, _RAISING) for each in nodes)


def _chain(place: ast.expr) -> Iterator[ast.expr]:
    """A place, and all that it is looked up on: `self.peer.done`, `self.peer`, `self`."""
    yield place
    while isinstance(place, ast.Attribute | ast.Subscript):
        place = place.value
        yield place


def _changed(node: ast.AST) -> Iterator[_Change]:
    """What one node sets or fills."""
    match node:
        case ast.Assign(targets, value):
            for target in targets:
                yield from _pairs(target, value)
        case ast.AnnAssign(target, _, ast.expr() as value):
            yield from _pairs(target, value)
        case ast.NamedExpr(target):
            yield target, None
        case ast.AugAssign(target, ast.Add()):
            yield target, _TRUE  # A number or a list that is not empty any more.
        case ast.AugAssign(target):
            yield target, None
        case ast.Delete(targets):
            for target in targets:
                yield target, None
                if isinstance(target, ast.Subscript):
                    yield target.value, None
        case ast.Call(ast.Attribute(place, name)) if dotted(place):
            if name in ADDERS:
                yield place, _TRUE
            elif name in _TOLD:
                yield place, None


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[_Change]:
    if isinstance(target, ast.Tuple | ast.List):
        values = value.elts if isinstance(value, ast.Tuple | ast.List) else []
        if len(values) != len(target.elts):
            yield from ((each, None) for each in _targets(target))
        else:
            for each, part in zip(target.elts, values, strict=True):
                yield from _pairs(each, part)
    else:
        yield target, value if isinstance(value, ast.Constant) else _of_display(value)


def _of_display(value: ast.expr) -> ast.Constant | None:
    """Something that is as true as a list, set, tuple or dict that is written out."""
    match value:
        case ast.List(elements) | ast.Set(elements) | ast.Tuple(elements):
            return _TRUE if elements else _FALSE
        case ast.Dict(keys):
            return _TRUE if keys else _FALSE
    return None


def _targets(target: ast.expr) -> Iterator[ast.expr]:
    if isinstance(target, ast.Tuple | ast.List):
        for each in target.elts:
            yield from _targets(each)
    else:
        yield target.value if isinstance(target, ast.Starred) else target
