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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property

from logctx_lint.analysis.context import arguments
from logctx_lint.analysis.control_flow_graph import (
    FlowGraph,
    FlowNode,
    NodeKind,
    expressions,
    flow_graph,
    suspends,
)
from logctx_lint.analysis.exception_handlers import BARE, Cancellation, Caught, caught, is_cancelled
from logctx_lint.analysis.units import File
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.types import ClassObject, FunctionType, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import own_nodes


class Way(Enum):
    """How a path goes on from where the cancellation was caught."""

    LETS_OUT = "lets it out"
    FAILS = "fails for another reason"
    """The clean-up itself fails, as it would without a handler."""
    EXITS = "ends the process"
    HANDS_ON = "hands it on to whoever waits"
    UNCANCELS = "takes the cancellation back"
    ENDS = "ends the function"
    RETURNS = "returns a value"
    LOOPS = "goes on with the loop"
    GOES_ON = "goes on with other asynchronous work"
    CONVERTS = "raises something else"
    YIELDS = "yields to the consumer meanwhile"


HARMLESS = frozenset({Way.LETS_OUT, Way.FAILS, Way.EXITS, Way.HANDS_ON, Way.UNCANCELS})
_MOST_STEPS = 3000
"""How far paths are followed; a longer search is given up, and nothing is known."""
_DEEPEST_CALL = 2
_RETURN_VALUE = "twisted.internet.defer.returnValue"
_HANDING_ON = frozenset({"set_exception", "errback", "throw", "put", "put_nowait", "send_nowait"})
_COLLECTING = frozenset({"append", "add", "appendleft", "extend", "insert"})
_CURRENT_EXCEPTION = frozenset({"sys.exc_info", "sys.exception", "twisted.python.failure.Failure"})
_LOOPS = (ast.For, ast.AsyncFor, ast.While)


class _Exc(Enum):
    """Which exception is raised, or is being handled."""

    CANCELLATION = "the cancellation"
    OTHER = "another one"
    CONVERTED = "one that was raised instead of the cancellation"


@dataclass(frozen=True, slots=True)
class _State:
    """What is known on a path."""

    handled: tuple[tuple[_Exc, str], ...] = ()
    """The exceptions that are being handled, the innermost last, with their names."""
    holders: frozenset[str] = frozenset()
    """Names and attributes that hold the cancellation."""
    containers: frozenset[str] = frozenset()
    """Those that hold it among others."""
    others: frozenset[str] = frozenset()
    """Names that hold another exception."""
    flags: frozenset[tuple[str, bool]] = frozenset()
    is_handed_on: bool = False
    result: ast.AST | None = None
    """What is returned."""
    is_failing: bool = False
    """Another exception takes the place of the cancellation."""

    @property
    def is_handling(self) -> bool:
        return any(exc is _Exc.CANCELLATION for exc, _ in self.handled)

    @property
    def current(self) -> _Exc | None:
        return self.handled[-1][0] if self.handled else None

    def within(self, depth: int) -> _State:
        """The same in fewer handlers: at the end of each, its name is gone."""
        if len(self.handled) <= depth:
            return self
        gone = {name for _, name in self.handled[depth:]}
        return replace(
            self,
            handled=self.handled[:depth],
            holders=self.holders - gone,
            others=self.others - gone,
        )

    def handling(self, exc: _Exc, name: str, depth: int) -> _State:
        """In a handler of an exception, `depth` handlers deep."""
        state = self.within(depth - 1)
        around = ((_Exc.OTHER, ""),) * (depth - 1 - len(state.handled))
        state = replace(state, handled=(*around, *state.handled, (exc, name)))
        return state.bound(name, exc) if name else state

    def bound(self, name: str, exc: _Exc | None) -> _State:
        """A name is bound to an exception, or to something else."""
        held = {name}
        return replace(
            self,
            holders=self.holders | held if exc is _Exc.CANCELLATION else self.holders - held,
            others=self.others | held if exc is _Exc.OTHER else self.others - held,
            containers=self.containers - held,
            flags=frozenset(flag for flag in self.flags if flag[0] != name),
        )


@dataclass(slots=True)
class Paths:
    """Where the paths from one place lead."""

    ways: dict[Way, ast.AST | None] = field(default_factory=dict)
    """With the code that shows it."""
    left_by: dict[ast.stmt, None] = field(default_factory=dict)
    """The statements that leave a `finally` block and so drop the exception."""
    targets: list[FlowNode] = field(default_factory=list)
    """Where the cancellation goes that is let out."""
    is_known: bool = True


@dataclass(slots=True, eq=False)
class Stop:
    """A handler, `finally` block or `with` that a cancellation comes to."""

    code: ast.AST
    """ast.ExceptHandler, ast.Try (its `finally`), ast.With or ast.AsyncWith."""
    statement: ast.AST
    """The `try` or `with` statement."""
    nodes: list[FlowNode] = field(default_factory=list)
    awaits: list[ast.AST] = field(default_factory=list)
    """The suspension points that it comes from."""


@dataclass(frozen=True, slots=True)
class Code:
    """A function as far as the analysis reads it."""

    file: File
    node: FunctionNode
    scope: Scope
    by_yield: bool

    def roles(self, node: ast.expr) -> frozenset[Role]:
        named = node.func if isinstance(node, ast.Call) else node
        return self.file.roles(named, self.scope)

    def names(self, node: ast.expr) -> tuple[str, ...]:
        named = node.func if isinstance(node, ast.Call) else node
        return self.file.resolver.names(named, self.scope)

    def caught(self, clause: ast.expr | None) -> Caught:
        if clause is None:
            return BARE
        return caught(self.file.resolver, self.file.vocabulary, clause, self.scope)


def of_function(file: File, function: Function) -> Code | None:
    """The code of a function of the project; None if it is not there."""
    node = None if function.module.is_stub else function.tree()
    if node is None:
        return None
    scope = Scope.of_body(function, node)
    by_yield = isinstance(node, ast.FunctionDef) and any(
        Role.INLINE_CALLBACKS
        in file.roles(each.func if isinstance(each, ast.Call) else each, outer)
        for outer in [scope.parent or scope]
        for each in node.decorator_list
    )
    return Code(file, node, scope, by_yield)


class CancellationFlow:
    """Follows a cancellation of one framework through one function."""

    def __init__(self, code: Code, live: Cancellation, depth: int = _DEEPEST_CALL) -> None:
        self._code = code
        self._live = live
        self._depth = depth
        self._known: dict[FlowNode, Paths] = {}
        self._is_generator = isinstance(code.node, ast.AsyncFunctionDef) and any(
            isinstance(each, ast.Yield) for each in own_nodes(code.node.body)
        )

    @cached_property
    def graph(self) -> FlowGraph:
        return flow_graph(self._code.node)

    # Where the cancellation comes to

    @cached_property
    def stops(self) -> list[Stop]:
        """What takes the cancellation of a suspension point, before it leaves the function."""
        return self.stops_from(lambda node: suspends(node, by_yield=self._code.by_yield))

    def stops_from(self, begins: Callable[[FlowNode], ast.AST | None]) -> list[Stop]:
        """The same of an exception that comes out of other places."""
        found: dict[tuple[ast.AST, bool], Stop] = {}
        seen: set[tuple[FlowNode, ast.AST]] = set()
        for node in self.graph.nodes:
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
                case NodeKind.LEAVE_RAISING if self._swallows(target):
                    return target
            target = target.raises
        return None

    def _takes(self, handler: FlowNode) -> bool:
        assert isinstance(handler.code, ast.ExceptHandler)
        return bool(self._code.caught(handler.code.type).cancellation & self._live)

    def _swallows(self, node: FlowNode) -> bool:
        assert isinstance(node.code, ast.With | ast.AsyncWith)
        return any(swallows(self._code, item, self._live) for item in node.code.items)

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
            state = _State(((_Exc.OTHER, ""),) * start.depth)
            if start.kind is not NodeKind.LEAVE_RAISING:
                name = getattr(start.code, "name", None) or ""
                state = state.handling(_Exc.CANCELLATION, name, start.depth)
            kept = frozenset(self._kept_before(start))
            state = replace(state, holders=state.holders | kept)
            run = _Run(self._code, self, self._live, start, 0, self._depth)
            self._known[start] = run.follow([(each, state) for each, _ in start.next])
        return self._known[start]

    def _kept_before(self, start: FlowNode) -> Iterator[str]:
        """Where a handler around has kept the cancellation that it names."""
        place = start.code
        for outer in own_nodes(self._code.node.body):
            if (
                isinstance(outer, ast.ExceptHandler)
                and outer is not place
                and outer.name
                and self._code.caught(outer.type).by_name
                and any(inner is place for inner in own_nodes(outer.body))
            ):
                for inner in own_nodes(outer.body):
                    if isinstance(inner, ast.Assign) and _key(inner.value) == outer.name:
                        yield from filter(None, map(_key, inner.targets))

    def called(self, state: _State) -> Paths:
        """The paths through the whole function, which is called while `state` holds."""
        run = _Run(self._code, self, self._live, None, len(state.handled), self._depth)
        return run.follow([(self.graph.entry, state)])


class _Run:
    """Follows the paths from one node."""

    def __init__(
        self,
        code: Code,
        flow: CancellationFlow,
        live: Cancellation,
        start: FlowNode | None,
        offset: int,
        depth: int,
    ) -> None:
        self._code = code
        self._flow = flow
        self._live = live
        self._start = start
        self._base = start.depth if start else 0
        self._offset = offset
        """In how many handlers of its callers the function runs."""
        self._depth = depth
        self.paths = Paths()
        self._waiting: list[tuple[FlowNode, _State]] = []
        self._seen: set[tuple[FlowNode, _State]] = set()

    def follow(self, waiting: list[tuple[FlowNode, _State]]) -> Paths:
        self._waiting = list(waiting)
        while self._waiting:
            node, state = self._waiting.pop()
            state = state.within(node.depth + self._offset)
            if (node, state) in self._seen:
                continue
            if len(self._seen) > _MOST_STEPS:
                self.paths.is_known = False
                break
            self._seen.add((node, state))
            self._step(node, state)
        return self.paths

    def _note(self, way: Way, code: ast.AST | None = None) -> None:
        self.paths.ways.setdefault(way, code)

    def _step(self, node: FlowNode, state: _State) -> None:
        match node.kind:
            case NodeKind.END:
                self._end(state)
                return
            case NodeKind.RERAISE:
                self._raise(node, state.current or _Exc.OTHER, state)
                return
            case NodeKind.LEAVE:
                if not self._is_left_behind(node, state):
                    self._go_on(node, state)
                return
        if self._is_left_behind(node, state):
            return
        if node.raises is not None and _may_fail(node):
            if self._is_inside(node.raises):
                self._deliver(node.raises, _Exc.OTHER, state)
            elif state.holders and not state.handled and self._start is not None:
                # What it holds may be lost to a later failure.
                self._deliver(node.raises, _Exc.OTHER, state, anywhere=True)
        after = self._calls(node, state)
        if after is None:
            return
        match node.code:
            case ast.Raise() as statement:
                self._raise(node, self._raised(statement, after), after)
                return
            case ast.Return(value):
                after = self._returning(value, after)
            case ast.Assert():
                self._raise(node, _Exc.OTHER, after)
                return
            case ast.stmt() as statement if node.kind is NodeKind.RUN:
                after = self._assigned(statement, after)
        if node.kind is NodeKind.TURN:
            after = self._turn(node.code, after)
        self._go_on(node, after)

    def _go_on(self, node: FlowNode, state: _State) -> None:
        truth = self._truth_at(node, state)
        for target, way in node.next:
            if truth is not None and way is not truth:
                continue
            if (
                isinstance(node.code, ast.Return | ast.Break | ast.Continue)
                and self._start is not None
                and self._start.kind is NodeKind.FINALLY
                and node.depth >= self._base > target.depth
            ):
                self.paths.left_by[node.code] = None
            kept = self._kept_instead(node, way)
            after = replace(state, holders=state.holders | {kept}) if kept else state
            if truth is None and way and self._is_another_cancellation(node.code):
                # That one was caught before, and goes on.
                after = replace(after, is_handed_on=True)
            self._waiting.append((target, after))

    def _is_another_cancellation(self, test: ast.AST | None) -> bool:
        """`isinstance(primary, CancelledError)`, of a name that holds something else."""
        match test:
            case ast.Call(ast.Name("isinstance"), [ast.Name(), classes]):
                return self._code.caught(classes).by_name
        return False

    def _kept_instead(self, node: FlowNode, truth: bool) -> str:
        """Of `if first is None: first = error`: the name that holds an earlier one otherwise."""
        start = self._start.code if self._start else None
        if not isinstance(start, ast.ExceptHandler) or node.depth < self._base:
            return ""
        match node.code:
            case ast.Compare(left, [ast.Is()], [ast.Constant(None)]) if not truth:
                key = _key(left)
            case ast.Compare(left, [ast.IsNot()], [ast.Constant(None)]) if truth:
                key = _key(left)
            case _:
                return ""
        is_kept = any(
            isinstance(each, ast.Assign)
            and _key(each.value) == start.name
            and any(_key(target) == key for target in each.targets)
            for each in own_nodes(start.body)
        )
        return key if is_kept else ""

    def _end(self, state: _State) -> None:
        if self._start is None:
            # The caller goes on, and knows of what was handed on.
            self._note(Way.HANDS_ON if state.is_handed_on else Way.ENDS)
            return
        result = state.result
        if state.is_handed_on:
            self._note(Way.HANDS_ON)
        elif state.is_failing:
            self._note(Way.FAILS)
        elif result is None or (isinstance(result, ast.Constant) and result.value is None):
            self._note(Way.ENDS)
        else:
            self._note(Way.RETURNS, result)
            if state.containers:
                # It came here by trying once more.
                self._note(Way.LOOPS, result)

    def _returning(self, value: ast.expr | None, state: _State) -> _State:
        if value is None:
            return replace(state, result=None)
        return replace(
            state,
            result=value,
            is_handed_on=state.is_handed_on or self._holds(value, state),
            is_failing=_mentions(value, state.others),
        )

    def _is_left_behind(self, node: FlowNode, state: _State) -> bool:
        """Whether the code suspends again here, and nothing holds the cancellation any more."""
        place = suspends(node, by_yield=self._code.by_yield)
        if self._flow._is_generator and not place:
            place = next((x for x in expressions(node) if isinstance(x, ast.Yield)), None)
            if place and state.is_handling and state.current is _Exc.CANCELLATION:
                self._note(Way.YIELDS, place)
                return False
        if place is None or state.handled or state.containers or self._start is None:
            # In a handler of another exception that one goes on, or the function ends.
            return False
        if state.holders:
            return False
        if state.is_handed_on:
            return False
        self._note(Way.LOOPS if self._loop_around(place) else Way.GOES_ON, place)
        return True

    def _loop_around(self, place: ast.AST) -> bool:
        """Whether a loop is around the start, and comes to `place` again."""
        start = self._start.code if self._start else None
        line = getattr(start, "lineno", 0)
        at = getattr(place, "lineno", 0)
        return any(
            isinstance(each, _LOOPS)
            and each.lineno < line <= (each.end_lineno or 0)
            and each.lineno <= at <= (each.end_lineno or 0)
            for each in own_nodes(self._code.node.body)
        )

    # Exceptions

    def _raised(self, node: ast.Raise, state: _State) -> _Exc:
        raised = node.exc
        if (
            isinstance(raised, ast.Call)
            and isinstance(raised.func, ast.Attribute)
            and self._key_held(raised.func.value, state)
        ):
            # `raise e.with_traceback(...)`
            raised = raised.func.value
        if raised is None:
            return state.current or _Exc.CONVERTED
        if self._key_held(raised, state):
            return _Exc.CANCELLATION
        if _mentions(raised, state.containers):
            return _Exc.CANCELLATION
        if _key(raised) in state.others:
            return _Exc.OTHER
        if is_cancelled(
            self._code.file.resolver, self._code.file.vocabulary, raised, self._code.scope
        ):
            return _Exc.CANCELLATION
        if state.current is _Exc.OTHER and state.is_handling:
            return _Exc.OTHER
        if isinstance(raised, ast.Call) and self._may_give_it(raised, state):
            return _Exc.OTHER
        return _Exc.CONVERTED

    def _may_give_it(self, call: ast.Call, state: _State) -> bool:
        """`raise translated(error)`: a function that may give the very exception that it gets."""
        if not any(self._key_held(each, state) for each in arguments(call)):
            return False
        return any(
            isinstance(each, FunctionType)
            for each in members_of(self._code.file.resolver.type_of(call.func, self._code.scope))
        )

    def _raise(self, node: FlowNode, exc: _Exc, state: _State) -> None:
        if node.raises is not None:
            self._deliver(node.raises, exc, state)

    def _is_inside(self, target: FlowNode) -> bool:
        """Whether an exception that goes there stays in the handler that the paths start in."""
        if self._start is None:
            return target.kind is not NodeKind.RAISED
        depth = target.depth - (target.kind is NodeKind.FINALLY)
        return target.kind is not NodeKind.RAISED and depth >= self._base > 0

    def _deliver(
        self, target: FlowNode, exc: _Exc, state: _State, *, anywhere: bool = False
    ) -> None:
        while self._is_inside(target) or (anywhere and target.kind is not NodeKind.RAISED):
            match target.kind:
                case NodeKind.DISPATCH:
                    if self._handle(target, exc, state):
                        return
                case NodeKind.FINALLY:
                    self._enter(target, exc, state)
                    return
                case NodeKind.LEAVE_RAISING:
                    if exc is _Exc.CANCELLATION and self._flow._swallows(target):
                        self._waiting += [(each, state) for each, _ in target.next]
                        return
            if target.raises is None:
                break
            target = target.raises
        is_dropped = exc is _Exc.CONVERTED and self._flow.drops(target)
        if (exc is _Exc.CANCELLATION or is_dropped) and target not in self.paths.targets:
            self.paths.targets.append(target)
        if exc is _Exc.CANCELLATION:
            self._note(Way.LETS_OUT)
        elif is_dropped:
            # Whatever it raises, a `return` in `finally` comes afterwards.
            self._note(Way.FAILS)
        else:
            self._note(Way.FAILS if exc is _Exc.OTHER else Way.CONVERTS)

    def _handle(self, dispatch: FlowNode, exc: _Exc, state: _State) -> bool:
        """Enter the handlers that may take an exception; whether one surely does."""
        for handler in dispatch.handlers:
            assert isinstance(handler.code, ast.ExceptHandler)
            clause = self._code.caught(handler.code.type)
            if exc is _Exc.CANCELLATION:
                if clause.cancellation & self._live:
                    self._enter(handler, exc, state)
                    return True
            elif not clause.by_name:
                self._enter(handler, exc, state)
        return False

    def _enter(self, node: FlowNode, exc: _Exc, state: _State) -> None:
        name = getattr(node.code, "name", None) or ""
        inner = state.handling(exc, name, node.depth + self._offset)
        self._waiting += [(each, inner) for each, _ in node.next]

    # Statements

    def _assigned(self, node: ast.stmt, state: _State) -> _State:
        targets: list[ast.expr] = []
        match node:
            case ast.Assign(targets, value):
                pass
            case ast.AnnAssign(value=ast.expr() as value):
                targets = [node.target]
            case ast.AugAssign():
                targets, value = [node.target], node.value
            case _:
                return state
        for target in targets:
            state = self._bind(target, value, state, keeps=isinstance(node, ast.AugAssign))
        return state

    def _bind(
        self, target: ast.expr, value: ast.expr, state: _State, *, keeps: bool = False
    ) -> _State:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for each, part in zip(target.elts, value.elts, strict=False):
                state = self._bind(each, part, state)
            return state
        key = _key(target)
        held = self._holds(value, state)
        if held and not isinstance(target, ast.Name):
            # Others find it there.
            state = replace(state, is_handed_on=True)
        if isinstance(target, ast.Tuple):
            for each in target.elts:
                state = state.bound(_key(each), _Exc.CANCELLATION if held else None)
            return state
        if not key:
            return state
        if self._is_it(value, state):
            return state.bound(key, _Exc.CANCELLATION)
        if held:
            bound = state.bound(key, None)
            return replace(bound, containers=bound.containers | {key})
        if keeps:
            return state
        state = state.bound(key, _Exc.OTHER if _key(value) in state.others else None)
        if isinstance(value, ast.Constant) and isinstance(value.value, bool):
            return replace(state, flags=state.flags | {(key, value.value)})
        return state

    def _turn(self, loop: ast.AST | None, state: _State) -> _State:
        if not isinstance(loop, ast.For | ast.AsyncFor):
            return state
        if any(
            isinstance(each, ast.Call)
            and isinstance(each.func, ast.Attribute)
            and each.func.attr in _HANDING_ON
            and any(self._holds(argument, state) for argument in arguments(each))
            for each in own_nodes(loop.body)
        ):
            # To each that waits; where nobody does, nobody has to know.
            state = replace(state, is_handed_on=True)
        held = _mentions(loop.iter, state.containers)
        return state.bound(_key(loop.target), _Exc.CANCELLATION if held else None)

    def _is_it(self, value: ast.expr, state: _State) -> bool:
        """Whether a value is the cancellation itself: `error`, `first or error`, `Failure()`."""
        match value:
            case ast.BoolOp(_, values):
                return any(self._is_it(each, state) for each in values)
            case ast.IfExp(_, body, orelse):
                return self._is_it(body, state) or self._is_it(orelse, state)
            case ast.Call() if state.current is _Exc.CANCELLATION:
                return not _CURRENT_EXCEPTION.isdisjoint(self._code.names(value))
        return self._key_held(value, state)

    def _holds(self, value: ast.AST, state: _State) -> bool:
        """Whether a value has the cancellation in it, as an element or an argument."""
        held = state.holders | state.containers
        for inner in own_nodes([value]):
            if _key(inner) in held and not self._is_text(inner, value):
                return True
            if isinstance(inner, ast.Call) and self._is_it(inner, state):
                return True
        return False

    def _is_text(self, held: ast.AST, value: ast.AST) -> bool:
        """Whether only what the exception says is used: `str(error)`, an f-string."""
        return any(
            isinstance(each, ast.JoinedStr)
            or (
                isinstance(each, ast.Call)
                and isinstance(each.func, ast.Name)
                and each.func.id in ("str", "repr", "type", "isinstance", "format")
            )
            or (isinstance(each, ast.Attribute) and each.value is held)
            for each in own_nodes([value])
            if any(inner is held for inner in own_nodes([each]))
        )

    def _key_held(self, node: ast.AST, state: _State) -> bool:
        return _key(node) in state.holders

    # Calls

    def _calls(self, node: FlowNode, state: _State) -> _State | None:
        """What is known behind the calls at a node; None where they do not come back."""
        if not state.is_handling and not state.holders and not state.containers:
            calls = [] if self._start is None else list(_calls_at(node))
            if not any(self._never_returns(each) for each in calls):
                return state
        for call in _calls_at(node):
            after = self._call(call, node, state)
            if after is None:
                return None
            state = after
        return state

    def _call(self, call: ast.Call, node: FlowNode, state: _State) -> _State | None:
        roles = self._code.roles(call)
        given = arguments(call)
        if _RETURN_VALUE in self._code.names(call):
            value = given[0] if given else None
            self._end(self._returning(value, state))
            return None
        if Role.PROCESS_EXIT in roles or self._never_returns(call):
            self._note(Way.EXITS)
            return None
        if _is_failed_assertion(call):
            self._raise(node, _Exc.OTHER, state)
            return None
        if Role.FAILURE_TRAP in roles:
            if any(self._code.caught(each).cancellation & self._live for each in given):
                return state
            self._raise(node, _Exc.CANCELLATION, state)
            return None
        if isinstance(call.func, ast.Attribute):
            name, receiver = call.func.attr, call.func.value
            if name in ("uncancel", "cancel") and self._is_current_task(receiver):
                self._note(Way.UNCANCELS if name == "uncancel" else Way.LETS_OUT)
                return None
            held = any(self._holds(each, state) for each in given)
            if name == "errback" and state.is_handling and not given:
                held = True
            if held and name in _HANDING_ON:
                return replace(state, is_handed_on=True)
            if held and name in _COLLECTING:
                is_local = (
                    isinstance(receiver, ast.Name) and receiver.id in self._code.scope.bindings
                )
                return replace(
                    state,
                    containers=state.containers | {_key(receiver)},
                    is_handed_on=state.is_handed_on or not is_local,
                )
        if self._depth and self._is_driven(call, node):
            return self._called(call, node, state)
        return state

    def _is_driven(self, call: ast.Call, node: FlowNode) -> bool:
        """Whether a call of a first-party function runs it here."""
        return node.kind in (NodeKind.RUN, NodeKind.TEST)

    def _called(self, call: ast.Call, node: FlowNode, state: _State) -> _State | None:
        functions = self._functions(call)
        if not functions:
            return state
        goes_on, handed = False, True
        converted: set[Way] = set()
        for function in functions:
            ways = self._summary(function, call, node, state)
            if ways is None:
                return state
            for way in ways:
                match way:
                    case Way.ENDS:
                        goes_on, handed = True, False
                    case Way.HANDS_ON:
                        goes_on = True
                    case Way.LETS_OUT:
                        self._raise(node, _Exc.CANCELLATION, state)
                    case Way.CONVERTS | Way.FAILS:
                        converted.add(way)
                    case _:
                        self._note(way)
        for way in converted:
            # A failure of a function that may as well end is its own.
            is_own = goes_on or way is Way.FAILS
            self._raise(node, _Exc.OTHER if is_own else _Exc.CONVERTED, state)
        if not goes_on:
            return None
        return replace(state, is_handed_on=True) if handed else state

    def _summary(
        self, function: Function, call: ast.Call, node: FlowNode, state: _State
    ) -> set[Way] | None:
        """How a first-party function ends that is called here; None if that is not known."""
        facts = function.facts
        if facts.is_generator and not facts.is_async:
            return None
        if facts.is_async and not any(
            isinstance(each, ast.Await) and each.value is call for each in expressions(node)
        ):
            return None
        code = of_function(self._code.file, function)
        if code is None or not _may_matter(code.node) or _is_abstract(code.node):
            return None
        names = [each.name for each in facts.parameters]
        first = self._code.file.resolver.bindings.first_parameter(function)
        given = [*zip(names[1 if first else 0 :], call.args, strict=False)]
        given += [(each.arg or "", each.value) for each in call.keywords]
        holders = frozenset(name for name, value in given if self._is_it(value, state))
        containers = frozenset(
            name for name, value in given if name not in holders and self._holds(value, state)
        )
        current = ((_Exc.CANCELLATION, ""),) if state.current is _Exc.CANCELLATION else ()
        if not holders and not containers and not current:
            return None
        inner = _State(current, holders, containers)
        paths = CancellationFlow(code, self._live, self._depth - 1).called(inner)
        return set(paths.ways) if paths.is_known else None

    def _functions(self, call: ast.Call) -> list[Function]:
        resolver = self._code.file.resolver
        members = list(members_of(resolver.type_of(call.func, self._code.scope)))
        found = [each.function.implementation for each in members if isinstance(each, FunctionType)]
        is_first_party = all(not each.module.is_stub for each in found)
        return found if found and len(found) == len(members) and is_first_party else []

    def _never_returns(self, call: ast.Call) -> bool:
        resolver = self._code.file.resolver
        if Role.PROCESS_EXIT in self._code.roles(call):
            return True
        found = [
            each.function
            for each in members_of(resolver.type_of(call.func, self._code.scope))
            if isinstance(each, FunctionType)
        ]
        return any(each.facts.returns.endswith(("NoReturn", "Never")) for each in found)

    def _is_current_task(self, node: ast.expr) -> bool:
        match node:
            case ast.Call():
                return any(name.endswith(".current_task") for name in self._code.names(node))
            case ast.NamedExpr(_, value):
                return self._is_current_task(value)
            case ast.Name(name):
                found = self._code.scope.reaching(name, (node.lineno, node.col_offset))
                return bool(found) and all(
                    binding.kind == "value"
                    and isinstance(binding.value, ast.Call)
                    and self._is_current_task(binding.value)
                    for binding in found
                )
        return False

    def _is_active_exception(self, node: ast.expr) -> bool:
        """Whether a name holds what was being handled before: of `sys.exc_info()[1]`."""
        if not isinstance(node, ast.Name) or node.id not in self._code.scope.bindings:
            return False
        found = self._code.scope.reaching(node.id, (node.lineno, node.col_offset))
        values = [binding.value for binding in found if binding.kind == "value"]
        calls = [each.value if isinstance(each, ast.Subscript) else each for each in values]
        return bool(calls) and all(
            isinstance(each, ast.Call)
            and not {"sys.exc_info", "sys.exception"}.isdisjoint(self._code.names(each))
            for each in calls
        )

    # Conditions

    def _truth_at(self, node: FlowNode, state: _State) -> bool | None:
        if node.kind is NodeKind.TEST and isinstance(node.code, ast.expr):
            return self._truth(node.code, state)
        if node.kind is NodeKind.CASE and isinstance(node.code, ast.match_case):
            return self._matches(node, node.code, state)
        return None

    def _truth(self, test: ast.expr, state: _State) -> bool | None:
        """Whether a condition holds on this path; None if that is not known."""
        match test:
            case ast.UnaryOp(ast.Not(), operand):
                inner = self._truth(operand, state)
                return None if inner is None else not inner
            case ast.BoolOp(operator, values):
                sides = [self._truth(value, state) for value in values]
                decisive = isinstance(operator, ast.Or)
                if decisive in sides:
                    return decisive
                return None if None in sides else not decisive
            case ast.Call(ast.Name("isinstance"), [first, second]):
                return self._is_one_of([second]) if self._key_held(first, state) else None
            case ast.Call(ast.Attribute(receiver, "cancelling")):
                return True if self._is_current_task(receiver) else None
            case ast.Call(ast.Name("len" | "bool" | "any"), [inner]):
                return self._truth(inner, state)
            case ast.Call() if Role.FAILURE_CHECK in self._code.roles(test):
                return self._is_one_of(arguments(test))
            case ast.NamedExpr(_, value):
                return self._truth(value, state)
            case ast.Compare(left, [operator], [right]):
                return self._compared(left, operator, right, state)
        key = _key(test)
        if key in state.holders | state.containers:
            return True
        return next((truth for name, truth in state.flags if name == key), None)

    def _compared(
        self, left: ast.expr, operator: ast.cmpop, right: ast.expr, state: _State
    ) -> bool | None:
        if isinstance(operator, ast.Is | ast.IsNot):
            if isinstance(right, ast.Constant) and right.value is None:
                if self._is_active_exception(left):
                    # There is one where a handler is around.
                    return isinstance(operator, ast.IsNot) is (self._base > 1)
                known = self._truth(left, state) is True or self._is_current_task(left)
                return isinstance(operator, ast.IsNot) if known else None
            return None
        if isinstance(right, ast.Constant) and right.value == 0 and self._truth(left, state):
            if isinstance(operator, ast.Gt | ast.NotEq):
                return True
            return False if isinstance(operator, ast.Eq) else None
        return None

    def _matches(self, node: FlowNode, case: ast.match_case, state: _State) -> bool | None:
        if case.guard is not None or node.subject is None:
            return None
        match case.pattern:
            case ast.MatchAs(None):
                return True
            case ast.MatchClass(cls, [], [], []) if self._key_held(node.subject, state):
                return self._is_one_of([cls])
        return None

    def _is_one_of(self, classes: list[ast.expr]) -> bool:
        return any(self._code.caught(each).cancellation & self._live for each in classes)


def swallows(code: Code, item: ast.withitem, live: Cancellation) -> bool:
    """Whether a context manager does not let a cancellation out."""
    call = item.context_expr
    if not isinstance(call, ast.Call):
        return False
    if Role.SUPPRESSOR in code.roles(call):
        return any(code.caught(each).cancellation & live for each in arguments(call))
    return any(
        _is_swallowing(code.file, member, live)
        for member in members_of(code.file.resolver.type_of(call.func, code.scope))
    )


def _is_swallowing(file: File, member: object, live: Cancellation) -> bool:
    """Whether a context manager of the project swallows what is raised inside of its `with`."""
    if isinstance(member, FunctionType):
        function = member.function.implementation
        if not any("contextmanager" in each for each in function.facts.decorators):
            return False
        code = of_function(file, function)
        if code is None or not _has_handler(code.node):
            return False
        flow = CancellationFlow(code, live, 1)
        stops = flow.stops_from(
            lambda node: next((x for x in expressions(node) if isinstance(x, ast.Yield)), None)
        )
        return any(
            not {Way.ENDS, Way.RETURNS}.isdisjoint(flow.ways(stop).ways)
            and {Way.LETS_OUT}.isdisjoint(flow.ways(stop).ways)
            for stop in stops
        )
    if isinstance(member, ClassObject) and not member.cls.module.is_stub:
        for name in ("__exit__", "__aexit__"):
            for function in member.cls.function(name):
                node = function.tree()
                if node and _gives_true(node):
                    return True
    return False


def _gives_true(node: FunctionNode) -> bool:
    """Whether `__exit__` swallows everything."""
    given = [each for each in own_nodes(node.body) if isinstance(each, ast.Return)]
    return (
        bool(given)
        and all(isinstance(each.value, ast.Constant) and each.value.value is True for each in given)
        and given[-1] in node.body
    )


def _has_handler(node: FunctionNode) -> bool:
    return any(isinstance(each, ast.ExceptHandler) for each in own_nodes(node.body))


def _is_abstract(node: FunctionNode) -> bool:
    """Whether a method only says that another one has to be written in its place."""
    return any(
        isinstance(each, ast.Raise) and "NotImplementedError" in ast.unparse(each)
        for each in node.body
    )


def _may_matter(node: FunctionNode) -> bool:
    """Whether calling a function may do something about an exception that it is given."""
    return any(
        isinstance(each, ast.Raise)
        or (isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute | ast.Name))
        or (isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store))
        for each in own_nodes(node.body)
    )


def _calls_at(node: FlowNode) -> list[ast.Call]:
    """The calls at a node, the inner ones first."""
    calls = [each for each in expressions(node) if isinstance(each, ast.Call)]
    return sorted(calls, key=lambda each: (each.end_lineno or 0, each.end_col_offset or 0))


def _may_fail(node: FlowNode) -> bool:
    """Whether an exception may come out of what is evaluated at a node, other than by `raise`."""
    return not isinstance(node.code, ast.Raise) and any(
        isinstance(each, ast.Call | ast.Await | ast.Yield | ast.YieldFrom)
        for each in expressions(node)
    )


def _is_failed_assertion(call: ast.Call) -> bool:
    """`self.fail(...)`, `pytest.fail(...)`, `self.assertTrue(False, ...)`."""
    match call.func, call.args:
        case ast.Attribute(ast.Name("self" | "pytest"), "fail"), _:
            return True
        case ast.Attribute(ast.Name("self"), name), [ast.Constant(bool() as value), *_]:
            return (name == "assertTrue" and not value) or (name == "assertFalse" and value)
    return False


def _key(node: ast.AST) -> str:
    """The name of a variable, or the path of an attribute."""
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(value, name):
            outer = _key(value)
            return f"{outer}.{name}" if outer else ""
    return ""


def _mentions(node: ast.AST, names: frozenset[str]) -> bool:
    return bool(names) and any(_key(each) in names for each in own_nodes([node]))


def frameworks(live: Cancellation) -> Iterator[Cancellation]:
    """Each of several frameworks by itself."""
    kinds = (Cancellation.TWISTED, Cancellation.ASYNCIO, Cancellation.TRIO)
    return (each for each in kinds if each in live)
