"""A task is started that nobody keeps.

## Why

The event loop has only a weak reference to a task. When nothing else refers to it, the garbage
collector may take it away in the middle of its work, which then silently stops; and what it raises
is only seen when it is collected. That holds for a task, too, that a function starts and gives to
whoever calls it, and, with the profile `strict`, for one that a lambda starts for a signal, an
event or a hook of something that is not known. Where a comment tells ruff's rule of the same not to
report (`# noqa: RUF006`), this one does not either.

## Bad

```python
import asyncio


async def send(name: str) -> None: ...


async def on_join(name: str) -> None:
    asyncio.create_task(send(name))
```

## Good

```python
import asyncio


async def send(name: str) -> None: ...


class Room:
    def __init__(self) -> None:
        self.tasks: "set[asyncio.Task[None]]" = set()

    async def on_join(self, name: str) -> None:
        task = asyncio.create_task(send(name))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
```

## Fix

Where asyncio code has a background starter already, the task is started with that; unsafe, because
the starter may treat failures in its own way. Else, where the class or module has a set of tasks
already, the task is kept there until it is done; unsafe, because what else is done with that set
then concerns this task, too. Else none.

## Settings

`vocabulary` adds the project's own `task-starter` names, and `nursery-starter` names for what keeps
its tasks itself.

## Use instead

`logctx_lint.runtime.tasks.run_in_background`, which keeps the task until it is done, or a
`TaskGroup`.
"""

from __future__ import annotations

import ast
import re

from logctx_lint.analysis.awaitables.discarded_values import discarded
from logctx_lint.analysis.awaitables.kept_tasks import are_all_kept
from logctx_lint.analysis.awaitables.ownership import gives_new_task, sees_to_failures
from logctx_lint.analysis.callback_arguments import taken, target
from logctx_lint.analysis.context import TreeContext, arguments
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Fix, Profile
from logctx_lint.fixes.edits import Helper, background_starter, started_by_hand_fix
from logctx_lint.fixes.task_sets import keep_fix, task_set
from logctx_lint.inference.decorators import is_external
from logctx_lint.inference.futures_elsewhere import FollowedElsewhere
from logctx_lint.inference.returned_values import KEEP_NOTHING
from logctx_lint.inference.suspensions import calls_that_never_suspend
from logctx_lint.inference.types import UNKNOWN, Certainty, FunctionType, Kind
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, is_name

_REACTOR_RUN = frozenset({"twisted.internet.interfaces.IReactorCore.run"})
_STARTERS = frozenset({Role.TASK_STARTER})
_CALLBACK_TAKERS = frozenset({Role.CALLBACK_TAKER})
_LOOPS = frozenset({Role.EVENT_LOOP})
_HOOK = re.compile(r"on[_A-Z]|.*(callback|handler|hook)s?$")
"""Attributes that hold what somebody calls when something happens."""
_REGISTERS = re.compile(
    r"(on|connect|bind|subscribe|listen|once|register|observe|command)($|_|[A-Z])|add_\w*(callback|handler|listener|observer)$"
)
"""Methods that take such a function."""
_TASKS = frozenset({Kind.TASK, Kind.FUTURE})


def check(context: TreeContext) -> None:
    may_start = _may_start(context.unit)
    for statement, scope in context.unit.statements:
        match statement:
            case ast.Expr(value) | ast.Assign(value=value) if not (
                may_start or _takes_new_task(context, value, scope)
            ):
                continue
            case ast.Expr(value):
                _check(context, value, "nobody keeps it")
            case ast.Assign([ast.Name(name)], value) | ast.AnnAssign(
                ast.Name(name), value=ast.expr() as value
            ):
                _check_bound(context, statement, name, value)
    for call, scope in context.unit.nodes(ast.Call) if may_start else ():
        if context.file.may_play(call.func, _CALLBACK_TAKERS) and context.is_placed(call):
            _check_callbacks(context, call, scope)
        for each in arguments(call):
            if isinstance(each, ast.Lambda) and _is_some_registration(context, call):
                _check_lambda(context, each)
    if may_start:
        _check_hooks(context)


def _check_hooks(context: TreeContext) -> None:
    """`button.on_click = lambda: create_task(f())`"""
    for statement, _ in context.unit.statements:
        match statement:
            case ast.Assign([ast.Attribute(_, name)], ast.Lambda() as value) if _HOOK.match(name):
                _check_lambda(context, value)


def _check_lambda(context: TreeContext, function: ast.Lambda) -> None:
    """A lambda that starts a task, which whoever calls it takes for a plain function."""
    starts = _starts(context, function.body)
    if not any(_is_for_another_thread(context, each) for each in starts):
        fate = "whoever calls this lambda most often does not keep it"
        _check(context, function.body, fate, profile=Profile.STRICT)


def _is_some_registration(context: TreeContext, call: ast.Call) -> bool:
    """`signal.connect(f)`, `bus.subscribe("x", f)` of something that is not known."""
    if not isinstance(call.func, ast.Attribute) or not _REGISTERS.match(call.func.attr):
        return False
    found = context.type_of(call.func)
    is_dropped = isinstance(context.parent(call), ast.Expr)
    return is_dropped and (found == UNKNOWN or is_external(found))


def _check_callbacks(context: TreeContext, call: ast.Call, scope: Scope) -> None:
    """`loop.call_soon(lambda: create_task(f()))`, `loop.call_soon(create_task, f())`."""
    if Role.CALLBACK_TAKER not in context.roles(call):
        return
    for each in taken(context.file, call, scope):
        if isinstance(each.node, ast.Lambda):
            _check(context, each.node.body, "nobody keeps it")
        elif Role.TASK_STARTER in context.roles(target(context, each.node)):
            given = call.args[call.args.index(each.node) + 1 :] if each.node in call.args else []
            if any(isinstance(e, ast.Call) and _is_done_at_once(context, e) for e in given[:1]):
                continue
            by = context.callee(call).label
            _report(context, each.node, f"{by} starts a task, and nobody keeps it")


def _check_bound(
    context: TreeContext, statement: ast.Assign | ast.AnnAssign, name: str, value: ast.expr
) -> None:
    if name == "_":
        _check(context, value, "nobody keeps it")
    elif _starts(context, value) and _is_never_used(context, statement, name):
        _check(context, value, f"only the local name `{name}` keeps it")


def _is_never_used(context: TreeContext, statement: ast.stmt, name: str) -> bool:
    """Whether a local name is bound and no more, nested functions included."""
    function = context.function_of(statement)
    if not isinstance(function, FunctionNode) or _is_main(context, function):
        return False
    if _runs_loop(context, function, statement):
        return False
    for inner in all_nodes(function):
        if isinstance(inner, ast.Global | ast.Nonlocal) and name in inner.names:
            return False
        if is_name(inner, name):
            place = context.parent(inner)
            is_stored = isinstance(inner.ctx, ast.Store)
            is_bound = is_stored and isinstance(place, ast.Assign | ast.AnnAssign)
            if not is_bound and not _is_mere_look(context, inner):
                return False
    return True


def _runs_loop(context: TreeContext, function: FunctionNode, statement: ast.stmt) -> bool:
    """Whether a plain function goes on to run the loop: until that ends, its locals are there."""
    place = statement.lineno, statement.col_offset
    return isinstance(function, ast.FunctionDef) and any(
        isinstance(each, ast.Call)
        and context.scopes[each].may_follow(place, (each.lineno, each.col_offset))
        and (Role.LOOP_RUNNER in context.roles(each) or _REACTOR_RUN & set(context.names(each)))
        for each in body_nodes(function)
    )


def _is_main(context: TreeContext, function: FunctionNode) -> bool:
    """Whether the loop runs as long as a function does: `asyncio.run(main())` is its only call.

    What its local names hold is there until the end, when every task is cancelled.
    """
    file, body = context.file, context.file.body
    own = context.unit.scopes.get(function)
    if own is None or own.function is None or not own.function.facts.is_async:
        return False
    called = FunctionType(own.function)
    for call, scope in context.resolver.references.calls(function.name, file.module):
        if scope.module != file.module and context.resolver.type_of(call.func, scope) == called:
            return False
    makers = [body.parent(each) for each in body.named(function.name)]
    return bool(makers) and all(
        isinstance(made, ast.Call)
        and isinstance(runner := body.parent(made), ast.Call)
        and Role.LOOP_RUNNER in file.roles(runner.func, Scope(file.module))
        for made in makers
    )


def _is_mere_look(context: TreeContext, name: ast.Name) -> bool:
    """Whether a task is only named, shown, or given a callback, as a statement."""
    call = context.method_call(name)
    if call:
        attribute = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        return isinstance(context.parent(call), ast.Expr) and attribute in KEEP_NOTHING
    taker = context.taker(name)
    if taker is None:
        return False
    # How many there are, of a list of tasks.
    return Role.LOG_WRITER in context.roles(taker) or "builtins.len" in context.names(taker)


def _check(
    context: TreeContext,
    value: ast.expr,
    fate: str,
    profile: Profile = Profile.RECOMMENDED,
) -> None:
    for call in filter(context.is_placed, _starts(context, value)):
        by = context.callee(call).label
        work = next(iter(arguments(call)), None)
        what = f" for {context.callee(work).label}" if isinstance(work, ast.Call) else ""
        # A function that starts the task does more than a starter would.
        is_start = Role.TASK_STARTER in context.roles(call)
        starter = _starter(context) if is_start else None
        fixes = started_by_hand_fix(context, call, starter)
        cure = f", or start it with `{starter.text}`" if starter else ""
        if not starter and (kept_in := task_set(context, call)):
            cure = f", in `{kept_in}`"
            if isinstance(context.parent(call), ast.Expr):
                fixes = keep_fix(context, call, kept_in)
        if _is_for_another_thread(context, call):
            # What it gives blocks a thread, and is no task.
            if _sees_to_failure(context, call, work):
                continue
            message = f"{by} starts a task{what} in the event loop, and {fate}: its failure "
            context.report(
                RULE.code,
                call,
                f"{message}goes unseen; look at what it gives",
                profile=Profile.STRICT,
            )
            continue
        if isinstance(work, ast.Call) and _is_done_at_once(context, work):
            continue
        if are_all_kept(context.file):
            return
        said = f"{by} starts a task{what}, and {fate}"
        chosen = Profile.STRICT if _is_started_for_caller(context, call) else profile
        _report(context, call, said, fixes, cure, profile=chosen)


def _is_started_for_caller(context: TreeContext, call: ast.Call) -> bool:
    """Whether a function of the project starts what it is given, and keeps nothing itself.

    It is but one mistake where all who call it leave the task to it.
    """
    given = (context.awaitability(each) for each in arguments(call))
    is_given = any(each.is_certain and each.kind.is_lazy for each in given)
    return is_given and Role.TASK_STARTER not in context.roles(call)


def _is_done_at_once(context: TreeContext, work: ast.Call) -> bool:
    """Whether a task ends at its first step, up to which the event loop holds it.

    Where log contexts are kept, who drops one is asked all the same: it runs in another's.
    """
    return not context.file.traits.has_log_contexts and calls_that_never_suspend(
        context.file.summaries, work.func, context.scopes[work]
    )


def _is_for_another_thread(context: TreeContext, call: ast.Call) -> bool:
    return context.awaitability(call).certainty is Certainty.NO


def _sees_to_failure(context: TreeContext, call: ast.Call, work: ast.expr | None) -> bool:
    """Whether the work handles its own failure, or a callback looks at it."""
    scope = context.scopes[call]
    if isinstance(work, ast.Call) and (
        sees_to_failures(context, work.func, scope) or Role.NEVER_FAILS in context.roles(work)
    ):
        return True
    follower = FollowedElsewhere(context.file.summaries, scope)
    places: list[ast.expr] = [call]
    statement, function = context.parent(call), context.function_of(call)
    match statement:
        case ast.Assign([ast.Name(name)]) if isinstance(function, FunctionNode):
            places += [each for each in body_nodes(function) if is_name(each, name)]
    return any(
        isinstance(added, ast.Call)
        and isinstance(added.func, ast.Attribute)
        and added.func.attr == "add_done_callback"
        and bool(added.args)
        and follower.looks_at_failure(added.args[0])
        for added in (context.method_call(each) for each in places)
    )


def _starter(context: TreeContext) -> Helper | None:
    """The project's own background starter; Twisted's ways are not those of a task."""
    if context.file.traits.uses_twisted:
        return None
    starter = background_starter(context, Kind.COROUTINE)
    return starter if starter and not starter.is_new else None


def _report(
    context: TreeContext,
    node: ast.expr,
    what: str,
    fixes: tuple[Fix, ...] = (),
    cure: str = "",
    profile: Profile = Profile.RECOMMENDED,
) -> None:
    advice = f"keep it, as in a set, until it is done{cure}"
    message = f"{what}: it can be garbage-collected while it runs; {advice}"
    context.report(RULE.code, node, message, fixes, profile=profile)


def _starts(context: TreeContext, value: ast.expr) -> list[ast.Call]:
    found = []
    for call in discarded(value):
        while isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Call):
            # `create_task(f()).add_done_callback(g)`: the task knows of `g`, not `g` of the task.
            if Role.TASK_STARTER in context.roles(call) or call.func.attr not in KEEP_NOTHING:
                break
            call = call.func.value
        if _starts_task(context, call):
            if not _is_kept_already(context, call):
                found.append(call)
        elif gives_new_task(context.file, call, context.scopes[call]):
            found.append(call)
    return found


def _takes_new_task(context: TreeContext, value: ast.expr, scope: Scope) -> bool:
    return any(gives_new_task(context.file, call, scope) for call in discarded(value))


def _starts_task(context: TreeContext, call: ast.Call) -> bool:
    """Whether a call starts a task; a method of the project's own loop may well keep it."""
    if Role.TASK_STARTER not in context.roles(call):
        return _is_called_loop(context, call)
    own = [each for each in context.functions(call.func) if not each.module.is_stub]
    vocabulary = context.file.vocabulary
    return all(Role.TASK_STARTER in vocabulary.roles([each.qualified_name]) for each in own)


def _is_called_loop(context: TreeContext, call: ast.Call) -> bool:
    """`bot.loop.create_task(f())`: of an unknown object, what goes by the name of a loop is one."""
    match call:
        case ast.Call(ast.Attribute(ast.Attribute() as receiver, "create_task"), [work, *_]) if (
            context.file.may_play(receiver, _LOOPS)
        ):
            answer, found = context.awaitability(work), context.type_of(receiver)
            is_coroutine = answer.is_certain and answer.kind.is_lazy
            return is_coroutine and (found == UNKNOWN or is_external(found))
    return False


def _is_kept_already(context: TreeContext, call: ast.Call) -> bool:
    """`ensure_future(task)`: there is no new task; one that is made in place is new itself."""
    given = arguments(call)
    if not given or Role.FORWARDING_GATHERER in context.roles(given[0]):
        return False
    if context.functions(given[0]) and not isinstance(given[0], ast.Call):
        return True  # A function, which LCX202 says is to be called: nothing is started.
    return context.awaitability(given[0]).kind in _TASKS


def _may_start(unit: Unit) -> bool:
    """Whether the unit calls a function that starts tasks, or hands one over."""
    return unit.may_call(_STARTERS) or any(
        unit.file.may_play(each, _STARTERS)
        for call, _ in unit.nodes(ast.Call)
        for each in call.args
        if isinstance(each, ast.Name | ast.Attribute)
    )


RULE = Rule(
    code="LCX204",
    fixes="none, or the project's own starter or set of tasks (unsafe)",
    check=check,
)
