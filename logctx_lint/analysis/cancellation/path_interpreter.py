"""Abstract interpretation of every path from where a cancellation is caught."""

from __future__ import annotations

import ast
from dataclasses import replace

from logctx_lint.analysis.cancellation.call_summaries import (
    called_with,
    first_party,
    is_failed_assertion,
    never_returns,
    with_flags,
)
from logctx_lint.analysis.cancellation.cancellation_state import (
    Code,
    Exc,
    Flow,
    Paths,
    State,
    Way,
    key_of,
    mentions,
)
from logctx_lint.analysis.cancellation.exception_values import HANDING_ON, ExceptionValues
from logctx_lint.analysis.cancellation.level_cancellation import comes_again
from logctx_lint.analysis.cancellation.path_conditions import Conditions
from logctx_lint.analysis.cancellation.path_ends import (
    following,
    is_on_the_way_out,
    is_raised_in_the_end,
)
from logctx_lint.analysis.cancellation.path_start import PathStart
from logctx_lint.analysis.cancellation.swallowing_blocks import reraises
from logctx_lint.analysis.context import arguments
from logctx_lint.analysis.control_flow_graph import FlowNode, NodeKind, expressions, suspends
from logctx_lint.analysis.exception_handlers import Cancellation
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import APPENDERS, RETURN_VALUE
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import is_none, own_nodes, stored_names

_MOST_STEPS = 3000
"""How far paths are followed; a longer search is given up, and nothing is known."""
_CALLBACK_TAKERS = frozenset({Role.CALLBACK_TAKER})
_COLLECTING = APPENDERS | {"extend", "insert"}
_OUT = {
    Exc.CANCELLATION: Way.LETS_OUT,
    Exc.OTHER: Way.FAILS,
    Exc.CONVERTED: Way.CONVERTS,
}
"""How a path ends on which an exception leaves what it started in."""


class PathInterpreter:
    """Follows the paths from one node."""

    def __init__(
        self,
        code: Code,
        flow: Flow,
        live: Cancellation,
        start: FlowNode | None,
        offset: int,
        depth: int,
    ) -> None:
        self._code = code
        self._flow = flow
        self._live = live
        self._offset = offset
        """In how many handlers of its callers the function runs."""
        self._depth = depth
        self.paths = Paths()
        self._values = ExceptionValues(code)
        self._start = PathStart(code, self._values, start)
        self._is_whole = start is None
        self._conditions = Conditions(code, live, self._values, self._start.depth)
        self._waiting: list[tuple[FlowNode, State]] = []
        self._seen: set[tuple[FlowNode, State]] = set()

    def follow(self, waiting: list[tuple[FlowNode, State]]) -> Paths:
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

    def _step(self, node: FlowNode, state: State) -> None:
        match node.kind:
            case NodeKind.END:
                self._end(state)
            case NodeKind.RERAISE:
                self._raise(node, state.current or Exc.OTHER, state)
            case NodeKind.LEAVE if state.current is not None and reraises(self._code, node):
                self._raise(node, state.current, state)
            case _ if self._is_left_behind(node, state):
                pass
            case NodeKind.LEAVE:
                self._go_on(node, state)
            case _:
                self._run(node, state)

    def _run(self, node: FlowNode, state: State) -> None:
        """Go on behind what is evaluated at a node."""
        self._fail(node, state)
        if self._live is Cancellation.TRIO and state.is_handling and comes_again(self._code, node):
            self._raise(node, Exc.CANCELLATION, state)
            return
        after = self._calls(node, state)
        if after is None:
            return
        match node.code:
            case ast.Raise() as statement:
                self._raise(node, self._values.raised(statement, after), after)
                return
            case ast.Return(value):
                after = self._returning(value, after)
            case ast.Assert():
                self._raise(node, Exc.OTHER, after)
                return
            case ast.stmt() as statement if node.kind is NodeKind.RUN:
                after = self._assigned(statement, after)
        if node.kind is NodeKind.TURN:
            after = self._values.turn(node.code, after)
        self._go_on(node, after)

    def _fail(self, node: FlowNode, state: State) -> None:
        """Go where a failure of what is evaluated at a node goes."""
        if node.raises is None or not _may_fail(node):
            return
        if self._start.is_inside(node.raises):
            self._deliver(node.raises, Exc.OTHER, state)
        elif state.holders and not state.handled and not self._is_whole:
            # What it holds may be lost to a later failure.
            self._deliver(node.raises, Exc.OTHER, state, anywhere=True)

    def _go_on(self, node: FlowNode, state: State) -> None:
        truth = self._conditions.truth_at(node, state)
        for target, way in node.next:
            if truth is not None and way is not truth:
                continue
            if isinstance(node.code, ast.stmt) and self._start.is_left_by(node, target):
                self.paths.left_by[node.code] = None
            kept = self._start.kept_instead(node, way)
            after = replace(state, holders=state.holders | {kept}) if kept else state
            # Another cancellation was caught before, and goes on.
            if truth is None and (
                self._start.has_nobody_waiting(node.code, way, state)
                or (way and self._is_another_cancellation(node.code))
            ):
                after = replace(after, is_handed_on=True)
            self._waiting.append((target, after))

    def _assigned(self, node: ast.stmt, state: State) -> State:
        match node:
            case ast.Assign([ast.Name(name)], value) if _is_condition(value, state):
                # What it says is said of the exception that is held now.
                truth = self._conditions.truth(value, state)
                if truth is not None:
                    return state.bound(name, None).known(name, truth)
                if not isinstance(value, ast.BoolOp):
                    return state.bound(name, None)
            case ast.Assign([target], ast.Constant(True)) if self._start.is_told(target, state):
                return replace(state, containers=state.containers | {key_of(target)})
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                pass
            case _:
                for name in stored_names(own_nodes([node])) if state.flags else ():
                    state = state.bound(name, None)
        return self._values.assigned(node, state)

    def _is_another_cancellation(self, test: ast.AST | None) -> bool:
        """`isinstance(primary, CancelledError)`, of a name that holds something else."""
        match test:
            case ast.Call(ast.Name("isinstance"), [ast.Name(), classes]):
                return self._code.caught(classes).by_name
        return False

    def _end(self, state: State) -> None:
        if self._is_whole:
            # The caller goes on, and knows of what was handed on.
            self._note(Way.HANDS_ON if state.is_handed_on else Way.ENDS)
            return
        result = state.result
        if state.is_handed_on:
            self._note(Way.HANDS_ON)
        elif self._start.left_for & state.holders and self._is_false(result, state):
            self._note(Way.LETS_OUT)
        elif state.is_failing:
            self._note(Way.FAILS)
        elif result is None or is_none(result):
            self._note(Way.ENDS)
        else:
            self._note(Way.RETURNS, result)
            if state.containers:
                # It came here by trying once more.
                self._note(Way.LOOPS, result)

    def _is_false(self, result: ast.AST | None, state: State) -> bool:
        if not isinstance(result, ast.expr):
            return True
        return self._conditions.truth(result, state) is False

    def _returning(self, value: ast.expr | None, state: State) -> State:
        if value is None:
            return replace(state, result=None, is_returning=True)
        return replace(
            state,
            result=value,
            is_returning=True,
            is_handed_on=state.is_handed_on
            or self._values.holds(value, state)
            or self._values.tells(value),
            is_failing=mentions(value, state.others),
        )

    def _is_left_behind(self, node: FlowNode, state: State) -> bool:
        """Whether the code suspends again here, and nothing holds the cancellation any more."""
        place = suspends(node, by_yield=self._code.by_yield)
        if self._flow.is_generator and not place:
            place = next((x for x in expressions(node) if isinstance(x, ast.Yield)), None)
            if place and state.is_handling and state.current is Exc.CANCELLATION:
                self._note(Way.YIELDS, place)
                return False
        if place is None or state.handled or self._is_whole:
            # In a handler of another exception that one goes on, or the function ends.
            return False
        kept = state.containers | state.holders
        if state.is_handed_on and self._start.turns_forever(place, kept):
            self._note(Way.LOOPS, place)
            return True
        if kept or state.is_handed_on or state.is_returning:
            return False
        return self._goes_on(node, place, state)

    def _goes_on(self, node: FlowNode, place: ast.AST, state: State) -> bool:
        """Whether what runs behind a lost cancellation is more than the way out of the function."""
        loops = list(self._start.loops_around(place))
        if is_on_the_way_out(self._code, self._start.statement, node, place):
            loops = [each for each in loops if self._may_turn(each, node, state)]
            if not loops:
                return False
        if loops:
            self._note(Way.LOOPS, place)
        elif is_raised_in_the_end(self._code, node):
            self._note(Way.LETS_OUT)
        else:
            self._note(Way.GOES_ON, place)
        return True

    def _may_turn(self, loop: ast.stmt, node: FlowNode, state: State) -> bool:
        """Whether a loop may go on behind a node."""
        head = loop.test if isinstance(loop, ast.While) else loop
        is_over = isinstance(head, ast.expr) and self._conditions.truth(head, state) is False
        return not is_over and any(each.code is head for each in following(node))

    # Exceptions

    def _raise(self, node: FlowNode, exc: Exc, state: State) -> None:
        if node.raises is not None:
            self._deliver(node.raises, exc, state)

    def _deliver(self, target: FlowNode, exc: Exc, state: State, *, anywhere: bool = False) -> None:
        while self._start.is_inside(target) or (anywhere and target.kind is not NodeKind.RAISED):
            if self._take(target, exc, state):
                return
            if target.raises is None:
                break
            target = target.raises
        # Whatever it raises, a `return` in `finally` comes afterwards.
        is_dropped = exc is Exc.CONVERTED and self._flow.drops(target)
        if (exc is Exc.CANCELLATION or is_dropped) and target not in self.paths.targets:
            self.paths.targets.append(target)
        self._note(Way.FAILS if is_dropped else _OUT[exc])

    def _take(self, target: FlowNode, exc: Exc, state: State) -> bool:
        """Go on where an exception comes to a node; whether it surely goes no further."""
        match target.kind:
            case NodeKind.DISPATCH:
                return self._handle(target, exc, state)
            case NodeKind.FINALLY:
                self._enter(target, exc, state)
                return True
            case NodeKind.LEAVE_RAISING:
                if exc is Exc.CANCELLATION and self._flow.swallows_at(target):
                    self._waiting += [(each, state) for each, _ in target.next]
                    return True
        return False

    def _handle(self, dispatch: FlowNode, exc: Exc, state: State) -> bool:
        """Enter the handlers that may take an exception; whether one surely does."""
        for handler in dispatch.handlers:
            assert isinstance(handler.code, ast.ExceptHandler)
            clause = self._code.caught(handler.code.type)
            if exc is Exc.CANCELLATION:
                if clause.cancellation & self._live:
                    self._enter(handler, exc, state)
                    return True
            elif not clause.by_name:
                self._enter(handler, exc, state)
        return False

    def _enter(self, node: FlowNode, exc: Exc, state: State) -> None:
        name = getattr(node.code, "name", None) or ""
        inner = state.handling(exc, name, node.depth + self._offset)
        self._waiting += [(each, inner) for each, _ in node.next]

    # Calls

    def _calls(self, node: FlowNode, state: State) -> State | None:
        """What is known behind the calls at a node; None where they do not come back."""
        if not state.is_handling and not state.holders and not state.containers:
            calls = [] if self._is_whole else _calls_at(node)
            if not any(never_returns(self._code, each) for each in calls):
                return state
        for call in _calls_at(node):
            after = self._call(call, node, state)
            if after is None:
                return None
            state = after
        return state

    def _call(self, call: ast.Call, node: FlowNode, state: State) -> State | None:
        roles = self._code.roles(call)
        given = arguments(call)
        if RETURN_VALUE in self._code.names(call):
            value = given[0] if given else None
            self._end(self._returning(value, state))
            return None
        if never_returns(self._code, call):
            self._note(Way.EXITS)
            return None
        if is_failed_assertion(call):
            self._raise(node, Exc.OTHER, state)
            return None
        if Role.FAILURE_TRAP in roles:
            if any(self._code.caught(each).cancellation & self._live for each in given):
                return state
            self._raise(node, Exc.CANCELLATION, state)
            return None
        # By its name alone: the loop may be anybody's.
        is_taker = self._code.file.may_play(call.func, _CALLBACK_TAKERS)
        if is_taker and not first_party(self._code, call):
            call = self._made_of(call, state) or call
            given = arguments(call)
        if isinstance(call.func, ast.Attribute):
            name, receiver = call.func.attr, call.func.value
            if name in ("uncancel", "cancel") and self._values.is_current_task(receiver):
                self._note(Way.UNCANCELS if name == "uncancel" else Way.LETS_OUT)
                return None
            handed = self._handed_to(receiver, name, given, state)
            if handed is not None:
                return handed
        # What a first-party function does, it does here.
        if self._depth and node.kind in (NodeKind.RUN, NodeKind.TEST):
            after = self._called(call, node, state)
            return after and with_flags(self._code, call, after)
        return state

    def _handed_to(
        self, receiver: ast.expr, method: str, given: list[ast.expr], state: State
    ) -> State | None:
        """What is known behind a method that is handed the exception; None if none is."""
        is_implied = method == "errback" and state.is_handling and not given
        if not is_implied and not any(self._values.holds(each, state) for each in given):
            return None
        if method in HANDING_ON:
            return replace(state, is_handed_on=True)
        if method not in _COLLECTING:
            return None
        is_local = isinstance(receiver, ast.Name) and receiver.id in self._code.scope.bindings
        return replace(
            state,
            containers=state.containers | {key_of(receiver)},
            is_handed_on=state.is_handed_on or not is_local,
        )

    def _made_of(self, taker: ast.Call, state: State) -> ast.Call | None:
        """The call of what is handed over with the exception: `call_soon(fail, future, error)`."""
        for position, function in enumerate(taker.args):
            given = taker.args[position + 1 :]
            if isinstance(function, ast.Name | ast.Attribute) and any(
                self._values.holds(each, state) for each in given
            ):
                return ast.Call(function, given, [])
        return None

    def _called(self, call: ast.Call, node: FlowNode, state: State) -> State | None:
        functions = first_party(self._code, call)
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
                        self._raise(node, Exc.CANCELLATION, state)
                    case Way.CONVERTS | Way.FAILS:
                        converted.add(way)
                    case _:
                        self._note(way)
        for way in converted:
            # A failure of a function that may as well end is its own.
            is_own = goes_on or way is Way.FAILS
            self._raise(node, Exc.OTHER if is_own else Exc.CONVERTED, state)
        if not goes_on:
            return None
        return replace(state, is_handed_on=True) if handed else state

    def _summary(
        self, function: Function, call: ast.Call, node: FlowNode, state: State
    ) -> set[Way] | None:
        """How a first-party function ends that is called here; None if that is not known."""
        called = called_with(self._values, function, call, node, state)
        if called is None:
            return None
        paths = self._flow.inside(called[0]).called(called[1])
        return set(paths.ways) if paths.is_known else None


def _is_condition(value: ast.expr, state: State) -> bool:
    match value:
        case ast.BoolOp(_, [first, *_]):
            flags = {name for name, truth in state.flags if truth is not None}
            return key_of(first) in flags or _is_condition(first, state)
        case ast.Compare() | ast.UnaryOp(ast.Not()) | ast.Call(ast.Name("isinstance")):
            return True
    return False


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
