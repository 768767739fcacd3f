"""A thread uses what belongs to the thread of the event loop or reactor, or that one waits for it.

## Why

Neither asyncio's loop nor Twisted's reactor may be touched from another thread, nor may Deferreds,
futures, tasks, events, queues and transports. What a thread starts there happens late or never, as
nobody wakes the loop, and now and then the loop's own state is corrupted.

The pool's thread also calls what is added to the future of a thread pool by `add_done_callback`.
paho's client calls its `on_connect` and the like in the thread that `loop_start()` starts; so do a
watchdog's handlers, APScheduler's jobs and requests that a `socketserver` handles run in threads.
A log handler's `emit()` is called by any thread that logs (profile `strict`), as in
[hatchet 3805](https://github.com/hatchet-dev/hatchet/issues/3805).

A function that hands one call to the loop, as it knows that it runs in another thread, must hand
over the one on the next line, too: `future.set_exception(error)` in a handler beside
`loop.call_soon_threadsafe(future.set_result, value)`, as in
[kiwipy 70](https://github.com/aiidateam/kiwipy/issues/70).

A loop or reactor that runs in a thread of its own is not to be touched by the thread that has
started that, be it to stop it: nobody wakes it
([roslibpy 84](https://github.com/RobotWebTools/roslibpy/pull/84)).

A thread that runs a loop of its own has to leave alone what belongs to another loop: a lock or
queue of asyncio serves one of them (profile `strict`), as in
[forecast-in-a-box 317](https://github.com/ecmwf/forecast-in-a-box/issues/317).

The other way round it is a deadlock: the loop's thread that waits for something which only the loop
can do waits forever.

The shape of [buildbot 8188](https://github.com/buildbot/buildbot/pull/8188) (a Deferred queue is
filled by a thread) and of [twisted 11625](https://github.com/twisted/twisted/issues/11625), where a
response written by a thread broke the reactor.

## Bad

```python
from twisted.internet import reactor
from twisted.internet.threads import deferToThread


class Job:
    def work(self) -> None:
        reactor.callLater(1, print, "done")

    def start(self) -> None:
        deferToThread(self.work).addErrback(print)
```

```python
import asyncio
import threading


class Job:
    def __init__(self) -> None:
        self.done: "asyncio.Event" = asyncio.Event()

    def work(self) -> None:
        self.done.set()

    async def run(self) -> None:
        threading.Thread(target=self.work).start()
        await self.done.wait()
```

## Good

```python
import asyncio
import threading


class Job:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.done: "asyncio.Event" = asyncio.Event()

    def work(self) -> None:
        self.loop.call_soon_threadsafe(self.done.set)

    async def run(self) -> None:
        threading.Thread(target=self.work).start()
        await self.done.wait()
```

## Fix

None.

## Settings

`vocabulary` adds the project's own `loop-bound`, `thread-starter`, `bare-thread-starter`,
`thread-caller` and `thread-called` names.

## When not to use it

Code that asks in which thread it runs, and a thread that runs an event loop of its own, are silent.

## Use instead

`loop.call_soon_threadsafe`, `asyncio.run_coroutine_threadsafe`; with Twisted
`reactor.callFromThread`, and `logctx_lint.runtime.defer_to_thread` for the work.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.callback_arguments import call_made_of, taken
from logctx_lint.analysis.called_code import Code, entered, reached
from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.deferreds.completed_in_threads import completed_by_thread
from logctx_lint.analysis.deferreds.half_handed import called_here_too, completed_beside
from logctx_lint.analysis.deferreds.library_threads import (
    called_in_thread,
    is_given_to_network_thread,
)
from logctx_lint.analysis.deferreds.loop_bound_calls import (
    ASKING,
    asks_where_it_runs,
    first_bound,
    loop_bound,
)
from logctx_lint.analysis.deferreds.loops_in_threads import RUNNING, called_from_outside
from logctx_lint.analysis.deferreds.request_callbacks import request_parameter
from logctx_lint.analysis.deferreds.shared_between_loops import (
    SharedBetweenLoops,
    handed_to_loop,
    shared_with_thread,
)
from logctx_lint.analysis.thread_classes import thread_body
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Profile
from logctx_lint.inference.passed_arguments import passed
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import all_nodes, last_name

_STARTERS = frozenset({Role.BARE_THREAD_STARTER, Role.THREAD_STARTER, Role.THREAD_CALLER})
_STARTING = (*(f".{name}" for name in RUNNING), "reactor.run")
_THREAD_CALLERS = frozenset({Role.THREAD_CALLER})
_THREAD_CALLED = frozenset({Role.THREAD_CALLED})
_EVENTS = frozenset({Role.PROTOCOL_EVENT, Role.CONNECTION_END})
_TIMERS = frozenset({Role.TIMER})
_ADDERS = frozenset({"addCallback", "addErrback", "addBoth", "addCallbacks"})
_BLOCKING = frozenset({"twisted.internet.threads.blockingCallFromThread"})
_SUBMIT = frozenset({"asyncio.run_coroutine_threadsafe", "asyncio.tasks.run_coroutine_threadsafe"})
_RUNNING = frozenset({"asyncio.get_running_loop", "asyncio.events.get_running_loop"})


def check(context: TreeContext) -> None:
    half = set[int]()
    for function in context.unit.scopes:
        if isinstance(function, ast.FunctionDef):
            half.update(_check_half(context, function))
    for call, scope in context.unit.nodes(ast.Call):
        if not context.is_placed(call):
            continue
        if context.roles(call) & _STARTERS:
            for each in taken(context.file, call, scope):
                _check_thread(context, call, each.node, half)
        elif _is_threads_callback(context, call):
            for node in call.args[:1]:
                _check_thread(context, call, node, half)
        else:
            _check_waiting(context, call)
    for statement, _ in context.unit.statements:
        if isinstance(statement, ast.Assign) and is_given_to_network_thread(context, statement):
            _check_callback(context, statement, half)
    _check_run(context)
    _check_library(context)
    if any(name in context.unit.file.source.text for name in _STARTING):
        _check_outside(context)


def _check_half(context: TreeContext, function: ast.FunctionDef) -> Iterator[int]:
    """What a function hands to the loop in one place, as it runs in a thread, and in another not.

    What is yielded are the lines of what is reported.
    """
    if any(last_name(each) in ASKING for each in all_nodes(function)):
        return
    halves = list(called_here_too(context, function))
    for call, over in halves:
        context.report(
            RULE.code,
            call,
            f"line {over.lineno} hands `{ast.unparse(over.args[0])}` to the loop, as this runs in "
            f"another thread, where `{ast.unparse(call.func)}()` must not be called either: hand "
            "it over, too",
        )
        yield call.lineno
    for call, over in completed_beside(context, function):
        if any(call is half for half, _ in halves):
            continue
        context.report(
            RULE.code,
            call,
            f"line {over.lineno} hands something to the loop, as this runs in another thread, "
            f"where `{ast.unparse(call.func)}()` must not be called: hand that over itself",
            profile=Profile.STRICT,
        )
        yield call.lineno


def _is_threads_callback(context: TreeContext, call: ast.Call) -> bool:
    """`pool.submit(f).add_done_callback(g)`: the worker of the pool calls `g`."""
    match call.func:
        case ast.Attribute(ast.Call() as made, "add_done_callback"):
            return Role.BARE_THREAD_STARTER in context.roles(made)
        case ast.Attribute(ast.Name() as name, "add_done_callback"):
            return any(
                isinstance(value, ast.Call) and Role.BARE_THREAD_STARTER in context.roles(value)
                for value in _values(context, name)
            )
    return False


def _values(context: TreeContext, name: ast.Name) -> list[ast.expr]:
    """What a local name was bound to, in this function."""
    bindings = context.scopes[name].reaching_name(name)
    return [
        each.value for each in bindings if each.value is not None and each.value in context.scopes
    ]


def _check_run(context: TreeContext) -> None:
    """`run()` of a class of threads, which is what the thread does."""
    body, node, owner = thread_body(context), context.unit.node, context.unit.scope.owner
    if body is None or not isinstance(node, ast.FunctionDef) or owner is None:
        return
    if _check_shared(context, None, [body]):
        return
    found, is_by_name = first_bound(context, [body])
    if found:
        inner, code = found
        where = "" if code is body else f" (line {inner.lineno} of {code.scope.module.name})"
        context.report(
            RULE.code,
            inner if code is body else node.body[0],
            f"`{owner.name}.run()` runs in a thread, where `{ast.unparse(inner.func)}()`{where} "
            "must not be called: hand it to `callFromThread` or `call_soon_threadsafe`",
            profile=Profile.STRICT if is_by_name else Profile.RECOMMENDED,
        )


def _answered(
    context: TreeContext, call: ast.Call, node: ast.expr, codes: list[Code]
) -> tuple[ast.Call, Code] | None:
    """Where code that a render method sends to a thread writes to the request itself."""
    function = context.function_of(call)
    if not isinstance(function, FunctionNode):
        return None
    request = request_parameter(context.file, function, context.unit.scopes[function])
    if not request:
        return None
    names = {request}
    started = codes[0].function if codes else None
    if started is not None and node in call.args:
        # `callInThread(self.work, request)`
        given = passed(context.resolver, call_made_of(call, node), started)
        names |= {name for name, value in given if getattr(value, "id", "") == request}
    for code in codes:
        for inner in code.nodes:
            match inner:
                case ast.Call(ast.Attribute(ast.Name(name), "write" | "finish")) if name in names:
                    return inner, code
    return None


def _check_thread(context: TreeContext, call: ast.Call, node: ast.expr, half: set[int]) -> None:
    """What a call starts in a thread. `half`: the lines of this file that are reported by now."""
    starts = entered(context.file, node, context.scopes[node])
    handed = handed_to_loop(context, call)
    if handed is not None:
        _report_shared(context, node, handed)
        return
    if _check_shared(context, node, starts):
        return
    driven = [each.function for each in starts if each.function is not None]
    if any(each.facts.is_async for each in driven):
        return
    if any(Role.INLINE_CALLBACKS in context.decorator_roles(each) for each in driven):
        context.report(
            RULE.code,
            node,
            f"`{context.line(call.func)}()` starts `{driven[0].name}()` in a thread, though it "
            "waits for Deferreds, which belong to the reactor's: call it there",
        )
        return
    taker = context.line(call.func)
    if Role.LOOP_BOUND in context.roles(node) and not isinstance(node, ast.Call):
        context.report(
            RULE.code,
            node,
            f"`{taker}()` calls `{ast.unparse(node)}()` in a thread, where it must not be called: "
            "hand it to `callFromThread` or `call_soon_threadsafe`",
        )
        return
    _check_code(context, call, node, starts, half)


def _check_code(
    context: TreeContext, call: ast.Call, node: ast.expr, starts: list[Code], half: set[int]
) -> None:
    """What the code that is started does itself, or what it calls."""
    taker = context.line(call.func)
    codes = list(reached(context.file, starts))
    if any(asks_where_it_runs(context, code) for code in codes):
        return
    found = (
        loop_bound(context, codes)
        or _answered(context, call, node, codes)
        or completed_by_thread(context, call, node, codes)
    )
    is_by_name = not found
    if not found:
        found, _ = first_bound(context, starts)
    if found and not (found[1].scope.module is context.file.module and found[0].lineno in half):
        inner, code = found
        where = f" (line {inner.lineno} of {code.scope.module.name})"
        context.report(
            RULE.code,
            node,
            f"`{taker}()` runs this in a thread, where `{ast.unparse(inner.func)}()`{where} must "
            "not be called: hand it to `callFromThread` or `call_soon_threadsafe`",
            profile=Profile.STRICT if is_by_name else Profile.RECOMMENDED,
        )


def _check_outside(context: TreeContext) -> None:
    """A loop that runs in a thread of its own, called from the one that has started that."""
    for found in called_from_outside(context):
        bound = "" if found.bound is found.call else ast.unparse(found.bound.func)
        how = f", as it calls `{bound}()`" if bound else ""
        context.report(
            RULE.code,
            found.call,
            f"the loop runs in the thread that line {found.started.lineno} makes, and this is "
            f"another one, where `{context.line(found.call.func)}()` must not be called{how}: "
            "hand it to `call_soon_threadsafe`, `run_coroutine_threadsafe` or `callFromThread`",
        )


def _check_shared(context: TreeContext, node: ast.AST | None, starts: list[Code]) -> bool:
    """What a loop of the thread's own and another one use; `node`: where the thread is started."""
    for found in shared_with_thread(context, starts):
        _report_shared(context, node or found.begins, found)
        return True
    return False


def _report_shared(context: TreeContext, node: ast.AST, found: SharedBetweenLoops) -> None:
    context.report(
        RULE.code,
        node,
        f"the thread has an event loop of its own, where line {found.line} of "
        f"{found.code.scope.module.name} waits with `{found.place}`, which another loop uses, too: "
        "what one of them does there does not wake the other; give each its own, or use "
        "`run_coroutine_threadsafe`",
        profile=Profile.STRICT,
    )


def _check_library(context: TreeContext) -> None:
    """A method that its base class, which is a library's, calls in a thread."""
    called = called_in_thread(context)
    if called is None:
        return
    found, is_by_name = first_bound(context, [called.code])
    if found:
        inner, code = found
        where = "" if code is called.code else f" (line {inner.lineno} of {code.scope.module.name})"
        by = "whatever thread logs" if called.is_any_thread else "a thread"
        node = context.unit.node
        assert isinstance(node, ast.FunctionDef)
        context.report(
            RULE.code,
            inner if code is called.code else node.body[0],
            f"`{called.caller}` has this called in {by}, where `{ast.unparse(inner.func)}()`"
            f"{where} must not be called: hand it to `call_soon_threadsafe`",
            profile=Profile.STRICT if is_by_name or called.is_any_thread else Profile.RECOMMENDED,
        )


def _check_callback(context: TreeContext, given: ast.Assign, half: set[int]) -> None:
    """What a library calls in the thread that it reads from the network in."""
    starts = entered(context.file, given.value, context.scopes[given])
    found, is_by_name = first_bound(context, starts)
    if found and not (found[1].scope.module is context.file.module and found[0].lineno in half):
        inner, code = found
        where = f" (line {inner.lineno} of {code.scope.module.name})"
        context.report(
            RULE.code,
            given.value,
            f"the thread that `loop_start()` starts calls this, and `{ast.unparse(inner.func)}()`"
            f"{where} must not be called there: hand it to `call_soon_threadsafe`",
            profile=Profile.STRICT if is_by_name else Profile.RECOMMENDED,
        )


def _check_waiting(context: TreeContext, call: ast.Call) -> None:
    """The loop's own thread waits for what only the loop can do."""
    if _BLOCKING & set(context.names(call)):
        if not _runs_in_loop(context, call):
            return
        context.report(
            RULE.code,
            call,
            f"`{context.line(call.func)}()` waits for the reactor, in whose thread this runs: it "
            "waits forever; await the Deferred",
        )
        return
    match call:
        case ast.Call(ast.Attribute(ast.Call() | ast.Name() as future, "result")):
            made = [future] if isinstance(future, ast.Call) else _values(context, future)
            submitted = made[0] if len(made) == 1 else None
            if not isinstance(submitted, ast.Call):
                return
            if not _SUBMIT & set(context.names(submitted)) or not _runs_in_loop(context, call):
                return
            loops = submitted.args[1:2]
            is_own = (
                bool(loops)
                and isinstance(loops[0], ast.Call)
                and bool(_RUNNING & set(context.names(loops[0])))
            )
            context.report(
                RULE.code,
                call,
                f"`{context.line(call.func)}()` blocks the event loop that runs this, and waits "
                "forever if that is the one which is to do the work: `await` the coroutine, or "
                "`asyncio.wrap_future(...)`",
                profile=Profile.RECOMMENDED if is_own else Profile.STRICT,
            )


def _runs_in_loop(context: TreeContext, call: ast.Call) -> bool:
    function = context.function_of(call)
    if not isinstance(function, FunctionNode):
        return False
    return context.is_asynchronous(function) or _is_called_by_reactor(context, function)


def _is_called_by_reactor(context: TreeContext, function: FunctionNode) -> bool:
    """Whether a function is a method of a protocol, or handed to a timer of the reactor."""
    owner = context.unit.scope.owner
    if (
        function is context.unit.node
        and owner is not None
        and context.file.vocabulary.has_bare_name(function.name, _EVENTS)
        and any(
            ancestor.qualified_name.startswith("twisted.")
            for ancestor, _ in context.resolver.classes.ancestors(owner)
        )
    ):
        return True
    return any(
        isinstance(node, ast.Call)
        and (last_name(node.func) in _ADDERS or context.file.may_play(node.func, _TIMERS))
        and any(last_name(each) == function.name for each in node.args)
        for node in all_nodes(context.file.tree)
    )


def screen(unit: Unit) -> bool:
    """Whether the unit starts something in a thread, or waits for another one."""
    return (
        unit.may_call(_STARTERS)
        or (".on_" in unit.text and unit.file.source.mentions("paho"))
        or "threadsafe" in unit.text
        or "allFromThread" in unit.text
        or (getattr(unit.node, "name", "") == "run" and unit.scope.owner is not None)
        or _may_be_called_in_thread(unit)
        or (isinstance(unit.node, ast.FunctionDef) and unit.file.source.mentions("Thread"))
    )


def _may_be_called_in_thread(unit: Unit) -> bool:
    """Whether a library may call the unit, a method or decorated function, in a thread."""
    node = unit.node
    return isinstance(node, ast.FunctionDef) and (
        bool(node.decorator_list and unit.may_call(_THREAD_CALLERS))
        or (
            unit.scope.owner is not None
            and bool(unit.file.vocabulary.playing(_THREAD_CALLED)[node.name])
        )
    )


RULE = Rule(
    code="LCX505",
    fixes="none",
    screen=screen,
    check=check,
)
