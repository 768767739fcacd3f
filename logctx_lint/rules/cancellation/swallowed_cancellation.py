"""A handler around an await catches the cancellation and does not let it out.

## Why

A cancelled request must end. `CancelledError` comes out of the `await`, and everything above has to
let it pass; a handler that logs it and goes on makes the code run on for a client that has gone,
and one that raises another exception turns the cancellation into an ordinary failure.

Twisted's `CancelledError` is an `Exception`, so that every `except Exception` catches it. asyncio's
is a `BaseException`, as is trio's `Cancelled`: only `except BaseException`, a bare `except` and a
clause that names it catch that one. Which of them counts is known from what the function awaits.

Every path from the handler is followed. It is no finding where the cancellation gets out in the end
(kept and raised behind the loop, by a helper that always raises), where it is handed on to whoever
waits (`future.set_exception(error)`, `return error`), or taken back with `uncancel()`.

Nor is it one where the handler is for another's end: a task that the function has made and another
one cancels, clean-up that is only called where the cancellation goes on, a task that is cancelled
for its result. What never waits for anything, or keeps all its cancellations, gives none.

What is awaited in an `async with` is cancelled through its context manager: an `__aexit__` that
returns something true for it, and a generator under `@asynccontextmanager` that handles it around
its `yield`, swallow it for all their users, and are reported where they are defined.

Where nobody is harmed, the finding belongs to the profile `strict`: the entry of a task merely ends
when it is cancelled, and nobody cancels one whose handle is only looked at; in Twisted code without
log contexts few Deferreds are ever cancelled; and the cancellation of a scope of trio comes out of
every further await, so that only a loop that goes on does harm.

## Bad

```python
import logging

from twisted.internet.defer import Deferred

logger = logging.getLogger(__name__)


async def handle(work: "Deferred[None]") -> None:
    try:
        await work
    except Exception:
        logger.info("failed")
```

```python
import asyncio


async def handle(queue: "asyncio.Queue[str]") -> str:
    try:
        return await queue.get()
    except asyncio.CancelledError:
        return ""
```

```python
import logging

logger = logging.getLogger(__name__)


class Guard:
    async def __aenter__(self) -> "Guard":
        return self

    async def __aexit__(self, exc_type, exc, traceback) -> bool:
        logger.info("left", exc_info=exc)
        return True
```

## Good

```python
import logging

from twisted.internet.defer import CancelledError, Deferred

logger = logging.getLogger(__name__)


async def handle(work: "Deferred[None]") -> None:
    try:
        await work
    except CancelledError:
        raise
    except Exception:
        logger.info("failed")
```

```python
import asyncio
import logging

logger = logging.getLogger(__name__)


async def handle(queue: "asyncio.Queue[str]") -> str:
    try:
        return await queue.get()
    except Exception:
        logger.info("failed")
        raise


async def stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
```

## Fix

`except CancelledError: raise` is put before the handler, with its import: safe, and only where the
handler does nothing but log, count or go on. One that does more goes on doing it, and lets the
cancellation out at its end (`if isinstance(error, CancelledError): raise`): unsafe. No fix is
offered where the function goes on to end something behind the handler (it closes, resets, tells),
or waits there as it cleans up: in a `finally`, or for work that is shielded. A handler that names
`CancelledError` itself was written on purpose and gets none either.

## Settings

`cancellation-scope = "cancellable"` limits the rule to functions that a marked (`@cancellable`) one
waits for, directly or through others, in whatever file they stand.

`framework` (`twisted`, `asyncio` or `both`) says whose cancellation counts; unset, it is what the
function awaits, and where that does not say, what the file and its package import.

## Use instead

`except CancelledError: raise`; `logctx_lint.runtime.delay_cancellation` for work that must finish.
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.cancellation.cancellation_flow import CancellationFlow
from logctx_lint.analysis.cancellation.cancellation_harm import does_harm, lost_by
from logctx_lint.analysis.cancellation.cancellation_protocols import is_arranged
from logctx_lint.analysis.cancellation.cancellation_state import (
    HARMLESS,
    Code,
    Way,
    frameworks,
    kept_as,
    key_of,
)
from logctx_lint.analysis.cancellation.cancellation_stops import (
    Swallowing,
    is_end_of_cancelled,
    is_harmless,
    swallowings,
)
from logctx_lint.analysis.cancellation.cancelled_children import CancelledChildren
from logctx_lint.analysis.cancellation.cancelled_tasks import Cancels
from logctx_lint.analysis.cancellation.completed_awaitables import DoneAwaitables
from logctx_lint.analysis.cancellation.exit_methods import ExitMethod
from logctx_lint.analysis.cancellation.kept_exceptions import is_told_apart
from logctx_lint.analysis.cancellation.lone_entries import is_out_of_reach
from logctx_lint.analysis.cancellation.swallowing_blocks import (
    is_async_context_manager,
    is_generator_manager,
)
from logctx_lint.analysis.context import TreeContext, arguments, as_try, in_source_order
from logctx_lint.analysis.exception_handlers import (
    BARE,
    Cancellation,
    Caught,
    caught,
    is_chosen_by_call,
)
from logctx_lint.analysis.function_framework import live_cancellation
from logctx_lint.analysis.units import Unit
from logctx_lint.config.settings import CancellationScope, Storage
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Profile, Span
from logctx_lint.fixes.left_out import may_leave_out
from logctx_lint.fixes.reraise_cancellation import does_work, fixes, names_cancelled
from logctx_lint.inference.types import ClassObject, FunctionType, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import SuspensionOrYield, body_nodes, own_nodes
from logctx_lint.syntax.excerpts import shortened

_EXIT = {
    Way.LOOPS: "goes on with the loop",
    Way.GOES_ON: "goes on behind the `try`",
    Way.RETURNS: "returns",
    Way.ENDS: "ends as if it were done",
}
_CLAUSES = {
    Cancellation.TWISTED: "CancelledError",
    Cancellation.ASYNCIO: "asyncio.CancelledError",
    Cancellation.TRIO: "trio.Cancelled",
    Cancellation.ASYNCIO | Cancellation.TRIO: "get_cancelled_exc_class()",
}
_EXIT_METHOD = "__aexit__"
_LONGEST_TEXT = 50


def check(context: TreeContext) -> None:
    cancels = Cancels(context)
    for node, scope in context.unit.scopes.items():
        if not isinstance(node, FunctionNode) or not _is_judged(context, node):
            continue
        if _may_catch(node):
            code = Code(context.file, node, scope, context.awaits_by_yield(node))
            if code.by_yield or isinstance(node, ast.AsyncFunctionDef):
                _check_function(context, code, cancels)
        if node.name == _EXIT_METHOD and scope.owner and isinstance(node, ast.AsyncFunctionDef):
            _check_exit(context, Code(context.file, node, scope, by_yield=False), scope.owner.name)


def _check_exit(context: TreeContext, code: Code, owner: str) -> None:
    """An `__aexit__` that gives something true for the cancellation of what it has been around."""
    live = live_cancellation(code)
    found = {each: None for one in frameworks(live) for each in ExitMethod(code, one).swallowing()}
    reported = {each.span for each in context.findings if each.code == RULE.code}
    for statement in found:
        if context.span(statement) in reported:
            continue
        context.report(
            RULE.code,
            statement,
            f"`{_shown(context, statement)}` swallows the CancelledError of whatever is awaited in "
            f"`async with {owner}()`: return something true for the errors that you expect",
            profile=Profile.STRICT if code.file.module.is_test else Profile.RECOMMENDED,
        )


def _may_catch(node: FunctionNode) -> bool:
    return any(as_try(each) or isinstance(each, ast.withitem) for each in body_nodes(node))


def _is_judged(context: TreeContext, node: FunctionNode) -> bool:
    """Whether the setting `cancellation-scope` takes the function in."""
    if context.file.settings.cancellation_scope is CancellationScope.ALL:
        return True
    return context.unit.scopes[node].function in context.file.auditor().cancellable


def _check_function(context: TreeContext, code: Code, cancels: Cancels) -> None:
    for each in swallowings(code):
        match each.stop.code:
            case ast.ExceptHandler() as handler:
                _check_handler(context, code, handler, each, cancels)
            case ast.With() | ast.AsyncWith() as statement:
                _check_with(context, code, statement, each, cancels)
            case _:
                _check_finally(context, code, each)


def _check_handler(
    context: TreeContext,
    code: Code,
    handler: ast.ExceptHandler,
    found: Swallowing,
    cancels: Cancels,
) -> None:
    if _is_meant(code, handler, found) or is_harmless(context, found, cancels):
        return
    if found.live is Cancellation.TWISTED and _is_out_of_reach(context, code):
        return
    clause = code.caught(handler.type)
    if clause.by_name and (
        CancelledChildren(context).are_awaited(found.awaits, handler.body)
        or is_arranged(code, ends=Way.LOOPS not in found.paths.ways)
    ):
        return
    keyword = "except" if isinstance(found.stop.statement, ast.Try) else "except*"
    shown = f"{keyword} {_shown(context, handler.type)}" if handler.type else keyword
    pending = [each for each in found.awaits if not DoneAwaitables(context).are_awaited([each])]
    does = _what_it_does(code, found, _what(context, pending or found.awaits))
    let_out = f"put `{keyword} {_clause(found.live)}: raise` before it"
    if does_work(code, handler):
        let_out = "re-raise it behind what the handler does"
    elif may_leave_out(context, found.stop.statement, handler):
        let_out = "let it out, once what has to be done behind it is done"
    start, body = context.span(handler), context.span(handler.body[0])
    context.report(
        RULE.code,
        handler,
        f"`{shown}` {does}: {'re-raise it' if clause.by_name else let_out}",
        fixes(context, code, found.stop.statement, handler, found.live),
        span=Span(start.line, start.column, body.line, body.column),
        profile=_profile(context, code, clause, found),
    )


def _is_out_of_reach(context: TreeContext, code: Code) -> bool:
    traits = context.file.traits
    if traits.has_log_contexts or traits.storage is Storage.THREAD_LOCAL:
        return False
    return code.scope.function is not None and is_out_of_reach(context.file, code.scope.function)


def _is_meant(code: Code, handler: ast.ExceptHandler, found: Swallowing) -> bool:
    """Whether a handler does not swallow the cancellation, or is written to do so."""
    ways = _harmful(code, found)
    if not ways or Way.UNCANCELS in found.paths.ways:
        return True
    if is_told_apart(code, handler, found.stop.statement):
        return True
    by_name = code.caught(handler.type).by_name
    if by_name and Way.YIELDS not in ways and _is_returned(code, handler):
        return True  # A condition tells whose cancellation it is.
    if Way.LETS_OUT not in found.paths.ways:
        return False
    if is_chosen_by_call(handler):
        return True
    # A context manager that lets it out on some path, too, has a reason where it does not.
    is_deliberate = by_name or names_cancelled(code, handler) or is_async_context_manager(code)
    return is_deliberate and Way.YIELDS not in ways


def _is_returned(code: Code, handler: ast.ExceptHandler) -> bool:
    """Whether a handler keeps the error in a variable that the function returns."""
    kept = {each for each in kept_as(handler.name, handler.body) if "." not in each}
    return bool(kept) and any(
        key_of(each.value) in kept for each in body_nodes(code.node, ast.Return) if each.value
    )


def _what_it_does(code: Code, found: Swallowing, what: str) -> str:
    """What a handler does with the cancellation, for a message."""
    ways = _harmful(code, found)
    error = "Cancelled" if found.live is Cancellation.TRIO else "CancelledError"
    exits = [text for way, text in _EXIT.items() if way in ways]
    if exits:
        return f"swallows the {error} of {what} and {exits[0]}"
    if Way.CONVERTS in ways:
        return f"turns the {error} of {what} into an ordinary failure"
    return f"yields while it holds the {error} of {what} back"


def _clause(live: Cancellation) -> str:
    return _CLAUSES.get(live, "CancelledError")


def _profile(context: TreeContext, code: Code, clause: Caught, found: Swallowing) -> Profile:
    ways = _harmful(code, found)
    harms = does_harm(context, code, clause, found.live, ways, found.awaits)
    return Profile.RECOMMENDED if harms else Profile.STRICT


def _harmful(code: Code, found: Swallowing) -> set[Way]:
    """How the paths go on that lose the cancellation."""
    return lost_by(code, found.paths.ways.keys() - HARMLESS)


def _check_with(
    context: TreeContext,
    code: Code,
    node: ast.With | ast.AsyncWith,
    found: Swallowing,
    cancels: Cancels,
) -> None:
    ways = _harmful(code, found)
    if not ways or is_end_of_cancelled(context, found, cancels):
        return
    items = [
        item
        for item in node.items
        if any(CancellationFlow(code, live).swallows(item) for live in frameworks(found.live))
    ]
    for item in items[:1]:
        call = item.context_expr
        clauses = (
            [code.caught(each) for each in arguments(call)] if isinstance(call, ast.Call) else []
        )
        by_name = any(clause.by_name for clause in clauses)
        if by_name and (
            CancelledChildren(context).are_awaited(found.awaits, ())
            or is_arranged(code, ends=Way.LOOPS not in found.paths.ways)
        ):
            continue
        is_own = isinstance(call, ast.Call) and Role.SUPPRESSOR not in context.roles(call)
        cure = "leave out CancelledError" if by_name else "name the errors that you expect"
        if is_own:
            cure = "let it raise CancelledError"
        context.report(
            RULE.code,
            call,
            f"`{_shown(context, call)}` swallows the CancelledError of "
            f"{_what(context, found.awaits)} and goes on behind the `with`: {cure}",
            profile=_profile(context, code, Caught(found.live, by_name), found),
        )


def _check_finally(context: TreeContext, code: Code, found: Swallowing) -> None:
    found.paths.ways = {Way.GOES_ON: None}
    profile = _profile(context, code, BARE, found)
    for leaving in in_source_order(found.paths.left_by):
        context.report(
            RULE.code,
            leaving,
            f"`{_shown(context, leaving)}` in `finally` swallows the CancelledError of "
            f"{_what(context, found.awaits)}: move it behind the `try`",
            profile=profile,
        )


def _what(context: TreeContext, awaits: list[ast.AST]) -> str:
    first = in_source_order(awaits)[0]
    line = context.span(first).line
    if isinstance(first, ast.Await | ast.Yield):
        return f"`{_shown(context, first)}` (line {line})"
    keyword = "with" if isinstance(first, ast.AsyncWith) else "for"
    return f"`async {keyword}` (line {line})"


def _shown(context: TreeContext, node: ast.AST) -> str:
    return shortened(context.line(node), _LONGEST_TEXT)


def screen(unit: Unit) -> bool:
    """Whether an await stands in a `try` or a `suppress` that may swallow its cancellation."""
    text = unit.text
    if "await" not in text and "yield" not in text and "async" not in text:
        return False
    if f"def {_EXIT_METHOD}" in text:
        return True
    if "try" not in text and "with " not in text:
        return False
    return any(
        _suspends(statement) and _may_swallow(unit, statement, scope)
        for statement, scope in unit.statements
        if isinstance(statement, ast.With | ast.AsyncWith) or as_try(statement)
    )


def _suspends(statement: ast.stmt) -> bool:
    return any(
        isinstance(inner, SuspensionOrYield)
        or (isinstance(inner, ast.comprehension) and inner.is_async)
        for inner in own_nodes([statement])
    )


def _may_swallow(unit: Unit, statement: ast.stmt, scope: Scope) -> bool:
    if isinstance(statement, ast.With | ast.AsyncWith):
        return any(_may_suppress(unit, item.context_expr, scope) for item in statement.items)
    final: list[ast.stmt] = getattr(statement, "finalbody", [])
    if any(isinstance(inner, _LEAVING) for inner in own_nodes(final)):
        return True
    resolver, vocabulary = unit.file.resolver, unit.file.vocabulary
    handlers: list[ast.ExceptHandler] = getattr(statement, "handlers", [])
    clauses = [handler.type for handler in handlers]
    return any(
        clause is None or caught(resolver, vocabulary, clause, scope).cancellation
        for clause in clauses
    )


def _may_suppress(unit: Unit, node: ast.expr, scope: Scope) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if Role.SUPPRESSOR in unit.file.roles(node.func, scope):
        return True
    for member in members_of(unit.file.resolver.type_of(node.func, scope)):
        if isinstance(member, FunctionType) and not member.function.module.is_stub:
            return is_generator_manager(unit.file, member.function)
        if isinstance(member, ClassObject) and not member.cls.module.is_stub:
            return True
    return False


_LEAVING = (ast.Return, ast.Break, ast.Continue)

RULE = Rule(
    code="LCX301",
    fixes="`except CancelledError: raise` + import (safe; unsafe behind a handler's work)",
    screen=screen,
    check=check,
)
