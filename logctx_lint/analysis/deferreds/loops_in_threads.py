"""Event loops and reactors that run in a thread of their own, and are called from another one.

self.loop = asyncio.new_event_loop()
threading.Thread(target=self.loop.run_forever).start()

def close(self):
    self.loop.stop()        # Nobody wakes the loop: it may sleep on.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.called_code import code_of
from logctx_lint.analysis.context import TreeContext, in_source_order
from logctx_lint.analysis.deferreds.loop_bound_calls import ASKING, first_bound
from logctx_lint.analysis.own_class import own_methods
from logctx_lint.config.vocabulary import Role
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, is_inside, last_name, own_attribute

RUNNING = frozenset({"run_forever", "run_until_complete"})
_BOUND = frozenset({"create_task", "call_soon", "call_later", "call_at", "stop", "add_reader"})
_THREADS = frozenset({"Thread"})
_REACTOR = "twisted.internet.interfaces.IReactorCore.run"


@dataclass(frozen=True, slots=True)
class FromOutside:
    """A call of a loop from a thread that does not run it, and where one is started that does."""

    call: ast.Call
    started: ast.Call
    bound: ast.Call
    """What only the loop's thread may call: the same call, or one that it leads to."""


def called_from_outside(context: TreeContext) -> Iterator[FromOutside]:
    """Such calls in the plain function or method that the unit is."""
    function = context.unit.node
    if not isinstance(function, ast.FunctionDef):
        return
    if any(last_name(each) in ASKING - {"new_event_loop"} for each in all_nodes(function)):
        return
    yield from _in_function(context, function)
    yield from _in_class(context, function)


def _in_function(context: TreeContext, function: ast.FunctionDef) -> Iterator[FromOutside]:
    """Behind the start of the thread, in the same function."""
    started: ast.Call | None = None
    place = ""
    for call in in_source_order(body_nodes(function, ast.Call)):
        if started is None:
            target = _target(call)
            if target is not None:
                started, place = _starts(context, call, target)
            elif _starts_reactor(context, call):
                started = call
        elif place and _is_bound_call(call, place):
            yield FromOutside(call, started, call)
        elif not place and call.lineno > started.lineno:
            found = _touches_reactor(context, call)
            if found is not None:
                yield FromOutside(call, started, found)
                return


def _target(call: ast.Call) -> ast.expr | None:
    """What a new thread calls."""
    if last_name(call.func) not in _THREADS:
        return None
    return next((each.value for each in call.keywords if each.arg == "target"), None)


def _starts(context: TreeContext, call: ast.Call, target: ast.expr) -> tuple[ast.Call | None, str]:
    """The call, if it makes a thread for a loop, and the text of that loop; none of the reactor."""
    match target:
        case ast.Attribute(loop, name) if name in RUNNING:
            return call, ast.unparse(loop)
        case ast.Attribute(_, "run") if _REACTOR in context.names(target):
            return call, ""
    return None, ""


def _starts_reactor(context: TreeContext, call: ast.Call) -> bool:
    """Whether a call is of a function that makes a thread for the reactor."""
    functions = context.functions(call.func)
    code = code_of(functions[0]) if len(functions) == 1 else None
    if code is None:
        return False
    targets = [_target(each) for each in code.nodes if isinstance(each, ast.Call)]
    return any(
        each is not None and _REACTOR in context.resolver.names(each, code.scope)
        for each in targets
    )


def _is_bound_call(call: ast.Call, place: str) -> bool:
    match call.func:
        case ast.Attribute(loop, name):
            return name in _BOUND and ast.unparse(loop) == place
    return False


def _touches_reactor(context: TreeContext, call: ast.Call) -> ast.Call | None:
    """What a call does to the reactor, itself or by what it calls."""
    names = context.names(call)
    if Role.LOOP_BOUND in context.roles(call):
        return call if any(each.startswith("twisted.") for each in names) else None
    functions = context.functions(call.func)
    starts = [code for each in functions if (code := code_of(each))]
    if len(starts) != 1 or functions[0].facts.is_async:
        return None
    found, is_by_name = first_bound(context, starts)
    return found[0] if found and not is_by_name else None


# Loops that an object keeps


def _in_class(context: TreeContext, method: ast.FunctionDef) -> Iterator[FromOutside]:
    methods = own_methods(context)
    calls = [each for each in in_source_order(body_nodes(method, ast.Call)) if _bound_place(each)]
    if not calls or method.decorator_list or method.name.startswith("_"):
        return  # Whatever calls what is private may run in the loop.
    told: set[ast.Call] = set()
    for place, started, runs in _kept_loops(methods):
        if method in runs or is_inside(started, [method]) or _may_run_in_loop(methods, method):
            continue
        for call in calls:
            if _bound_place(call) == place and call not in told:
                told.add(call)
                yield FromOutside(call, started, call)


def _bound_place(call: ast.Call) -> str:
    """`_loop` of `self._loop.call_soon(f)`, and of other calls that its own thread must make."""
    match call.func:
        case ast.Attribute(loop, name) if name in _BOUND:
            return own_attribute(loop)
    return ""


def _kept_loops(
    methods: list[FunctionNode],
) -> Iterator[tuple[str, ast.Call, list[FunctionNode]]]:
    """The attributes that hold loops, where their threads are made, and what these run."""
    by_name = {each.name: each for each in methods}
    for method in methods:
        for call in body_nodes(method, ast.Call):
            target = _target(call)
            match target:
                case ast.Attribute(loop, name) if name in RUNNING and own_attribute(loop):
                    yield own_attribute(loop), call, []
                case ast.Attribute() if body := by_name.get(own_attribute(target)):
                    for each in all_nodes(body, ast.Attribute):
                        if each.attr in RUNNING and own_attribute(each.value):
                            yield own_attribute(each.value), call, [body]


def _may_run_in_loop(methods: list[FunctionNode], method: FunctionNode) -> bool:
    """Whether another method calls it, in whatever thread, or gives it away to be called."""
    for other in methods:
        if other is not method and method.name in {own_attribute(e) for e in all_nodes(other)}:
            return True
    return False
