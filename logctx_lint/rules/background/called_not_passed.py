"""A function is called where it should be passed on to be called.

## Why

`run_in_background(f(x))` calls `f` at once, in the foreground, and hands what it gives to a callee
that wants to call a function: it fails, or fails later in the reactor, and a coroutine never runs.
The same goes for whatever is declared to take a function (`Callable[...]`), and gets a coroutine;
and the other way round, for what takes a coroutine (`create_task`) and gets the function, and for
`gather`, which takes awaitables one by one, and gets a list of them.

## Bad

```python
from logctx_lint.runtime import run_in_background


async def send(name: str) -> None: ...


def on_join(name: str) -> None:
    run_in_background(send(name))
```

```python
from twisted.internet import reactor


def poll() -> None: ...


def schedule() -> None:
    reactor.callLater(1, poll())
```

## Good

```python
from twisted.internet import reactor

from logctx_lint.runtime import run_in_background


async def send(name: str) -> None: ...


def poll() -> None: ...


def on_join(name: str) -> None:
    run_in_background(send, name)
    reactor.callLater(1, poll)
```

## Fix

Safe where the callee is known: the function and its arguments are passed on. Unsafe where only the
parameter is declared so, and where the coroutine would be dropped and has to be started next
(LCX106). Not offered where the callee has no room for the arguments, calls the function with some
of its own, or would drop the coroutine and nothing can start it.

## Settings

`vocabulary` adds the project's own names that take a function: `background-starter`,
`callback-taker`, `result-taker`, `thread-starter`, `driver` and `timer`.

## Use instead

`logctx_lint.runtime.run_in_background`, which takes the function and its arguments.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.awaitables import discard_consequences
from logctx_lint.analysis.awaitables.parameter_values import functions_needed
from logctx_lint.analysis.callback_arguments import (
    IGNORING,
    IN_THREADS,
    WAITING,
    Taken,
    may_be_awaitable,
    taken,
)
from logctx_lint.analysis.context import TreeContext, arguments
from logctx_lint.analysis.units import File
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Applicability, Fix
from logctx_lint.fixes.edits import as_arguments, background_starter
from logctx_lint.inference.decorators import is_external
from logctx_lint.inference.types import (
    NONE,
    UNKNOWN,
    Awaitability,
    FunctionType,
    Instance,
    Kind,
    TupleType,
    members_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import last_name

_TAKERS = frozenset(
    {
        Role.BACKGROUND_STARTER,
        Role.HAND_STARTER,
        Role.CALLBACK_TAKER,
        Role.RESULT_TAKER,
        Role.THREAD_STARTER,
        Role.DRIVER,
        Role.FUNCTION_RUNNER,
        Role.TIMER,
    }
)
_OF_LOOPS = {
    **dict.fromkeys(("call_soon", "call_soon_threadsafe"), 0),
    **dict.fromkeys(("call_at", "call_later", "run_in_executor", "add_signal_handler"), 1),
}
"""Methods of a loop, and where the function stands that they call."""
_COLLECTIONS = frozenset(f"builtins.{name}" for name in ("list", "tuple", "set", "dict"))
_AWAITERS = frozenset(
    {
        Role.TASK_STARTER,
        Role.NURSERY_STARTER,
        Role.FORWARDING_GATHERER,
        Role.CANCELLATION_SHIELD,
        Role.LOOP_RUNNER,
    }
)
"""Roles of what takes an awaitable, of asyncio's; others' starters take the function."""


def _takes_function(file: File, call: ast.Call, scope: Scope) -> bool:
    is_given = bool(call.args or call.keywords)
    may_be_taker = is_given and file.may_play(call.func, _TAKERS)
    return may_be_taker and not file.roles(call.func, scope).isdisjoint(_TAKERS)


def check(context: TreeContext) -> None:
    file = context.file
    may_take = context.unit.may_call(_TAKERS)
    for call, scope in context.unit.nodes(ast.Call):
        if may_take and _takes_function(file, call, scope):
            found = [each for each in _taken(file, call, scope) if _is_mistaken(file, each)]
        elif any(_is_awaitable(file, each, scope) for each in arguments(call)):
            found = list(_called_for_functions(file, call, scope))
        else:
            continue
        for each in found:
            if context.is_placed(each.node):
                _report(context, each)
    for call, _ in context.unit.nodes(ast.Call) if context.unit.may_call(_AWAITERS) else ():
        if file.may_play(call.func, _AWAITERS) and context.is_placed(call):
            _check_awaiter(context, call)


def _taken(file: File, call: ast.Call, scope: Scope) -> list[Taken]:
    return taken(file, call, scope) or _given(file, call, scope)


def _called_for_functions(file: File, call: ast.Call, scope: Scope) -> Iterator[Taken]:
    """The calls that stand where a signature, or a body, wants a function."""
    yield from (each for each in _taken(file, call, scope) if _is_no_function(file, each))
    for given in functions_needed(file, call, scope):
        if _is_awaitable(file, given, scope):
            yield Taken(given, call, scope)


def _given(file: File, call: ast.Call, scope: Scope) -> list[Taken]:
    """What is handed to a callee of which only the role is known."""
    callee = file.resolver.type_of(call.func, scope)
    if callee != UNKNOWN and not is_external(callee):
        return []
    # `loop.call_soon(loop.create_task, f())` calls the first one.
    place = _OF_LOOPS.get(last_name(call.func))
    given = call.args if place is None else call.args[place : place + 1]
    awaitable = [each for each in given if _is_awaitable(file, each, scope)]
    return [Taken(each, call, scope) for each in awaitable[:1]]


def _check_awaiter(context: TreeContext, call: ast.Call) -> None:
    """`create_task(f)`, `gather(f, g)`: the other way round."""
    names = [each for each in context.names(call) if each.startswith("asyncio.")]
    roles = context.file.vocabulary.roles(names)
    if roles.isdisjoint(_AWAITERS):
        return
    for given in call.args if Role.ARGUMENT_GATHERER in roles else ():
        if _is_collection(context, given):
            context.report(
                RULE.code,
                given,
                f"{context.callee(call).label} takes each awaitable by itself, but gets a "
                "collection of them, and fails: put `*` before it",
            )
    for given in call.args if Role.ARGUMENT_GATHERER in roles else call.args[:1]:
        functions = context.functions(given)
        if (
            isinstance(given, ast.Name | ast.Attribute)
            and functions
            and all(isinstance(each, FunctionType) for each in members_of(context.type_of(given)))
            and all(each.facts.is_async and not each.facts.decorators for each in functions)
        ):
            callee = context.called(given)
            context.report(
                RULE.code,
                given,
                f"{context.callee(call).label} takes what {callee.label} returns "
                f"({callee.reason}), but gets the function itself, and fails: call it",
                callee=callee,
            )


def _is_collection(context: TreeContext, node: ast.expr) -> bool:
    """Whether it is a display, or what is known to be a list, tuple, set or dict."""
    if isinstance(node, ast.List | ast.ListComp | ast.Tuple | ast.Set | ast.GeneratorExp):
        return True
    members = members_of(context.type_of(node))
    return isinstance(node, ast.Name) and all(
        isinstance(each, TupleType)
        or (isinstance(each, Instance) and each.cls.qualified_name in _COLLECTIONS)
        for each in members
    )


def _report(context: TreeContext, mistake: Taken) -> None:
    by, value = context.callee(mistake.call).label, mistake.node
    what = _described(context.awaitability(value))
    callee = context.callee(value) if isinstance(value, ast.Call) else None
    if _is_lost_anyway(context, mistake):
        what = f"`{context.text(value)}`, {what}"
        cure = discard_consequences.callback_cure(context, Kind.COROUTINE)
        if not IN_THREADS.isdisjoint(context.roles(mistake.call)):
            cure = "call it in the event loop, not in a thread"
    elif isinstance(value, ast.Call) and callee:
        function = callee.label.strip("`").removesuffix("()")
        passed = f"{function}, ..." if arguments(value) else function
        what = f"what {callee.label} returns, {what} ({callee.reason})"
        cure = f"pass the function: `{passed}`"
    else:
        what = f"`{context.text(value)}`, {what}"
        cure = "pass the function and its arguments"
    context.report(
        RULE.code,
        value,
        f"{by} calls the function that it is given, but gets {what}: {cure}",
        _fixes(context, mistake),
        callee=callee,
    )


def _is_lost_anyway(context: TreeContext, mistake: Taken) -> bool:
    """Whether the coroutine would not run either if the function were passed."""
    answer, roles = context.awaitability(mistake.node), context.roles(mistake.call)
    is_ignored = not roles.isdisjoint(IGNORING) and roles.isdisjoint(WAITING)
    return is_ignored and answer.is_certain and answer.kind.is_lazy


def _fixes(context: TreeContext, mistake: Taken) -> tuple[Fix, ...]:
    if not isinstance(mistake.node, ast.Call) or not _fits(mistake, mistake.node):
        return ()
    is_lost = _is_lost_anyway(context, mistake)
    if is_lost and not _can_be_started(context, mistake):
        return ()
    if Role.CHAINER in context.roles(mistake.call):
        return ()  # A chainer puts the result in front of the arguments.
    edits = as_arguments(context, mistake.node)
    # What a callee that no role is known of calls the function with is its own business.
    by_role = not context.roles(mistake.call).isdisjoint(_TAKERS)
    # What is dropped then still has to be started, as LCX106 says.
    is_safe = by_role and not is_lost
    applicability = Applicability.SAFE if is_safe else Applicability.UNSAFE
    return (Fix("Pass the function", applicability, edits),) if edits else ()


def _can_be_started(context: TreeContext, mistake: Taken) -> bool:
    """Whether what is passed could be a background starter, which LCX106 puts there next."""
    in_thread = not IN_THREADS.isdisjoint(context.roles(mistake.call))
    return not in_thread and background_starter(context, Kind.COROUTINE) is not None


def _described(answer: Awaitability) -> str:
    if not answer.is_certain:
        return "None"
    return answer.kind.with_article + (" that never runs" if answer.kind.is_lazy else "")


def _fits(mistake: Taken, inner: ast.Call) -> bool:
    """Whether the callee hands on all arguments of the inner call, and none of its own."""
    if any(each.parameters for each in mistake.declared):
        return False
    has_arguments = bool(inner.args or inner.keywords)
    if has_arguments and not (mistake.passes_arguments and mistake.call.args[-1] is inner):
        return False
    own = mistake.passes_keywords
    used = {each.arg for each in mistake.call.keywords}
    return all(
        own is not None and each.arg is not None and each.arg not in own | used
        for each in inner.keywords
    )


def _is_mistaken(file: File, argument: Taken) -> bool:
    """Whether an argument, which should be a function, is what one has given."""
    if not isinstance(argument.node, ast.Call | ast.Name | ast.Attribute):
        return False
    type_ = file.resolver.type_of(argument.node, argument.scope)
    is_call = isinstance(argument.node, ast.Call)
    return file.resolver.awaitability(type_).is_certain or (is_call and type_ == NONE)


def _is_no_function(file: File, argument: Taken) -> bool:
    """Whether a coroutine, Task or the like is given where a function is declared."""
    return (
        bool(argument.declared)
        and _is_awaitable(file, argument.node, argument.scope)
        and not may_be_awaitable(file, argument)
    )


def _is_awaitable(file: File, node: ast.expr, scope: Scope) -> bool:
    """Whether a call gives a coroutine, Task or the like, and no object of a class of its own."""
    if not isinstance(node, ast.Call) or not file.prefilter.may_give_awaitable(node, scope):
        return False
    answer = file.resolver.awaitability(file.resolver.type_of(node, scope))
    return answer.is_certain and answer.kind is not Kind.AWAITABLE


RULE = Rule(
    code="LCX202",
    fixes="`f(x)` -> `f, x` (safe)",
    check=check,
)
