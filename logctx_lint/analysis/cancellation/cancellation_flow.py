"""What becomes of a cancellation in one function: which handlers get it, and how they go on.

    flow = CancellationFlow(code, function, Cancellation.ASYNCIO)
    for stop in flow.stops:             # handlers, `finally` blocks and `with`s that it comes to
        flow.ways(stop)                 # every way that the code goes on from there

It starts at the suspension points, goes where exceptions go in the control-flow graph, and from
each handler follows every path, with what is known on it: which exception is being handled, which
names hold the cancellation, which flags are set. A path ends where the cancellation leaves the
function, where the function ends, or at the next suspension point once nothing holds the
cancellation any more.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

from logctx_lint.analysis.cancellation.cancellation_sources import may_give_cancellation
from logctx_lint.analysis.cancellation.cancellation_state import Code, Exc, Paths, State, Stop, Way
from logctx_lint.analysis.cancellation.initial_state import (
    kept_before,
    left_for,
    named_around,
    with_constants,
)
from logctx_lint.analysis.cancellation.path_interpreter import PathInterpreter
from logctx_lint.analysis.cancellation.swallowing_blocks import (
    is_async_context_manager,
    swallows,
    yields,
)
from logctx_lint.analysis.control_flow_graph import (
    FlowGraph,
    FlowNode,
    NodeKind,
    flow_graph,
    suspends,
    suspensions,
)
from logctx_lint.analysis.exception_handlers import Cancellation
from logctx_lint.syntax.ast_walk import body_nodes

_DEEPEST_CALL = 2


class CancellationFlow:
    """Follows a cancellation of one framework through one function."""

    def __init__(self, code: Code, live: Cancellation, depth: int = _DEEPEST_CALL) -> None:
        self._code = code
        self._live = live
        self._depth = depth
        self._known: dict[FlowNode, Paths] = {}
        self.is_generator = isinstance(code.node, ast.AsyncFunctionDef) and any(
            body_nodes(code.node, ast.Yield)
        )

    @cached_property
    def graph(self) -> FlowGraph:
        return flow_graph(self._code.node)

    # Where the cancellation comes to

    @cached_property
    def stops(self) -> list[Stop]:
        """What takes the cancellation of a suspension point, before it leaves the function."""
        return self.stops_from(self._source)

    @cached_property
    def body_stops(self) -> list[Stop]:
        """The same of what comes out of the `async with` that the function is the manager of."""
        return self.stops_from(yields) if is_async_context_manager(self._code) else []

    @cached_property
    def lets_out(self) -> bool:
        """Whether a cancellation may leave the function."""
        return any(
            self._escapes(node)
            for node in self.graph.reachable()
            if suspends(node, by_yield=self._code.by_yield)
        )

    def _escapes(self, node: FlowNode) -> bool:
        """Whether the cancellation that comes out of a suspension point leaves the function."""
        waiting, seen = [node.raises], set[FlowNode]()
        while waiting:
            target = self._catcher(waiting.pop())
            if target is None:
                return self._gives(node)
            if target in seen:
                continue
            seen.add(target)
            paths = self.paths(target)
            if not paths.is_known or (Way.LETS_OUT in paths.ways and not paths.targets):
                return self._gives(node)
            waiting += paths.targets
        return False

    def _source(self, node: FlowNode) -> ast.AST | None:
        """The first suspension point at a node, if a cancellation may come out and is caught."""
        place = suspends(node, by_yield=self._code.by_yield)
        if place is None or self._catcher(node.raises) is None or self._gives(node):
            return place
        return None

    def _gives(self, node: FlowNode) -> bool:
        """Whether a cancellation may come out of one of the suspension points at a node."""
        flow_of = self.inside if self._depth else None
        return any(
            may_give_cancellation(self._code, each, flow_of)
            for each in suspensions(node, by_yield=self._code.by_yield)
        )

    def stops_from(self, begins: Callable[[FlowNode], ast.AST | None]) -> list[Stop]:
        """The same of an exception that comes out of other places."""
        found: dict[tuple[ast.AST, bool], Stop] = {}
        seen: set[tuple[FlowNode, ast.AST]] = set()
        for node in self.graph.reachable():
            place = begins(node) if node.raises is not None else None
            if place is None:
                continue
            waiting = [node.raises]
            while waiting:
                target = self._catcher(waiting.pop())
                if target is None or (target, place) in seen:
                    continue
                seen.add((target, place))
                code = target.code
                assert code is not None
                stop = found.setdefault((code, True), Stop(code, self._statement_of(target)))
                if target not in stop.nodes:
                    stop.nodes.append(target)
                if place not in stop.awaits:
                    stop.awaits.append(place)
                waiting += self.paths(target).targets
        return list(found.values())

    def _statement_of(self, node: FlowNode) -> ast.AST:
        if node.kind is not NodeKind.HANDLER:
            assert node.code is not None
            return node.code
        return next(
            each.code
            for each in self.graph.nodes
            if each.kind is NodeKind.DISPATCH and node in each.handlers and each.code
        )

    def _catcher(self, target: FlowNode | None) -> FlowNode | None:
        """The first node that takes a cancellation which is raised to `target`."""
        while target is not None:
            match target.kind:
                case NodeKind.DISPATCH:
                    for handler in target.handlers:
                        if self._takes(handler):
                            return handler
                case NodeKind.FINALLY:
                    return target
                case NodeKind.LEAVE_RAISING if self.swallows_at(target):
                    return target
            target = target.raises
        return None

    def _takes(self, handler: FlowNode) -> bool:
        assert isinstance(handler.code, ast.ExceptHandler)
        return bool(self._code.caught(handler.code.type).cancellation & self._live)

    def swallows_at(self, node: FlowNode) -> bool:
        """Whether the `with` that is left there does not let the cancellation out."""
        assert isinstance(node.code, ast.With | ast.AsyncWith)
        return any(self.swallows(item) for item in node.code.items)

    def swallows(self, item: ast.withitem) -> bool:
        """Whether a context manager does not let the cancellation out."""
        return swallows(
            self._code, item, self._live, lambda code: CancellationFlow(code, self._live, 1)
        )

    # How it goes on

    def drops(self, target: FlowNode) -> bool:
        """Whether every exception that goes there is dropped by leaving a `finally`."""
        if target.kind is not NodeKind.FINALLY:
            return False
        paths = self.paths(target)
        return bool(paths.left_by) and Way.LETS_OUT not in paths.ways

    def ways(self, stop: Stop) -> Paths:
        """Every way on from a stop."""
        whole = Paths()
        for node in stop.nodes:
            paths = self.paths(node)
            whole.ways.update(paths.ways)
            whole.left_by.update(paths.left_by)
            whole.is_known = whole.is_known and paths.is_known
        return whole

    def paths(self, start: FlowNode) -> Paths:
        """Every path from a node that takes the cancellation."""
        if start not in self._known:
            names = named_around(self._code, start) or [""] * start.depth
            held = frozenset(filter(None, names))
            state = State(tuple((Exc.OTHER, each) for each in names), held)
            if start.kind is not NodeKind.LEAVE_RAISING:
                name = getattr(start.code, "name", None) or ""
                state = state.handling(Exc.CANCELLATION, name, start.depth)
            kept = left_for(self._code, start).union(kept_before(self._code, start))
            state = replace(state, holders=state.holders | kept)
            state = with_constants(self._code, start, state)
            run = PathInterpreter(self._code, self, self._live, start, 0, self._depth)
            self._known[start] = run.follow([(each, state) for each, _ in start.next])
        return self._known[start]

    def called(self, state: State) -> Paths:
        """The paths through the whole function, which is called while `state` holds."""
        run = PathInterpreter(self._code, self, self._live, None, len(state.handled), self._depth)
        return run.follow([(self.graph.entry, state)])

    def inside(self, code: Code) -> CancellationFlow:
        """The flow through a function that this one calls."""
        return CancellationFlow(code, self._live, self._depth - 1)
