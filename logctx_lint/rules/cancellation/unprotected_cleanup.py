"""A cancellation, or an error, can keep what is taken or set from being released or undone.

## Why

Between `await lock.acquire()` and the `try` whose `finally` releases it nothing may raise. Every
`await` there can: a cancellation comes out of it, the `finally` is never reached, and whoever wants
the lock afterwards waits forever.

A `return` there leaves it taken, too.

A thread that waits for a lock, as in `await to_thread(lock.acquire)`, goes on when the coroutine is
cancelled, and takes the lock for nobody
([web3.py 2693](https://github.com/ApeWorX/web3.py/issues/2693)).

An `acquire()` *inside* that `try` is as bad: when the waiting is cancelled, the `finally` releases
a lock that somebody else holds.

What `__aenter__` takes before it waits is lost in the same way: `__aexit__` is only called for what
was entered.

A slot that another method has taken, as for a task of its own, is lost where the work before its
`release()` fails. Twisted's `DeferredLock` and `DeferredSemaphore` are looked at as asyncio's are.

The same goes for whatever the function undoes itself: a flag that makes it refuse to run twice, a
connection of a pool. In a `finally` or `__aexit__` that awaits something *before* it releases, that
`await` is what may fail. In a scope of anyio or trio that is cancelled every `await` that has to
wait is cancelled, so that clean-up there needs a shielded scope. With the profile `strict` counters
and registrations are reported, too, among them what waits for an answer in time and is taken out by
the answer alone ([pytboss 510](https://github.com/dknowles2/pytboss/issues/510)).

The shape of [anyio 398](https://github.com/agronholm/anyio/issues/398) (cancelled between taking a
lock and using it, httpcore's connections stood still), and of
[cpython 88157](https://github.com/python/cpython/issues/88157).

## Bad

```python
import asyncio


class Store:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()

    async def connect(self) -> None: ...

    async def write(self, text: str) -> None:
        await self.lock.acquire()
        await self.connect()
        try:
            print(text)
        finally:
            self.lock.release()
```

```python
import asyncio


class Store:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()

    async def send(self, text: str) -> None: ...

    async def write(self, text: str) -> None:
        try:
            await self.lock.acquire()
            await self.send(text)
        finally:
            self.lock.release()
```

```python
class Mirror:
    def __init__(self) -> None:
        self.running = False

    async def pull(self) -> None: ...

    async def sync(self) -> None:
        if self.running:
            return
        self.running = True
        await self.pull()
        self.running = False
```

## Good

```python
import asyncio


class Store:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()

    async def send(self, text: str) -> None: ...

    async def write(self, text: str) -> None:
        async with self.lock:
            await self.send(text)

    async def write_by_hand(self, text: str) -> None:
        await self.lock.acquire()
        try:
            await self.send(text)
        finally:
            self.lock.release()
```

```python
class Mirror:
    def __init__(self) -> None:
        self.running = False

    async def pull(self) -> None: ...

    async def sync(self) -> None:
        if self.running:
            return
        self.running = True
        try:
            await self.pull()
        finally:
            self.running = False
```

## Fix

None: `async with` needs the block that it is for.

## Settings

`vocabulary` adds the project's own `releaser`, `cancel-scope` and `time-limiter` names.

## When not to use it

Where the lock is released by somebody else, as by a callback of the task that the function starts:
nothing is reported where the function itself does not release it. Flags that say how far things
have come are silent: only such as make the function refuse to run are looked at, and not such as
keep `close()` or `stop()` from running twice at a time.

## Use instead

`async with lock:`. `logctx_lint.runtime.testing.cancel_at_each_await` finds what is left over.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import UnionType

from logctx_lint.analysis.cancellation.lost_entries import lost_by_entry
from logctx_lint.analysis.cancellation.skipped_cleanup import (
    Skipped,
    given_back_too_late,
    may_be_left_at,
    skipped_by_cleanup,
    undone_by_hand,
)
from logctx_lint.analysis.cancellation.skipped_releases import is_lock, skipped_releases
from logctx_lint.analysis.cancellation.state_changes import Change, called
from logctx_lint.analysis.cancellation.undone_elsewhere import is_undone_elsewhere
from logctx_lint.analysis.cancellation.unshielded_cleanup import Unshielded, unshielded
from logctx_lint.analysis.context import TreeContext, as_try
from logctx_lint.analysis.deferreds.late_answers import left_registered
from logctx_lint.analysis.own_class import own_methods
from logctx_lint.analysis.surroundings import attempts_around
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Profile
from logctx_lint.inference.types import Unknown, members_of
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import (
    Suspension,
    SuspensionOrYield,
    body_nodes,
    last_name,
    own_nodes,
)

_GOING_ON = frozenset({"run_in_executor", "to_thread"})
_IN_THREAD = _GOING_ON | {"run_sync"}


def check(context: TreeContext) -> None:
    for function in context.unit.scopes:
        if isinstance(function, FunctionNode) and context.is_asynchronous(function):
            _check_changes(context, function)
    waits: list[ast.Await | ast.Yield] = [each for each, _ in context.unit.nodes(ast.Await)]
    for node in (*waits, *_yields(context)):
        lock = _acquired(context, node)
        statement = context.parent(node)
        if lock is None or not isinstance(statement, ast.Expr | ast.Assign):
            continue
        if _is_taken_by_thread(context, node, statement, lock):
            context.report(
                RULE.code,
                node,
                f"if this is cancelled while it waits, the thread takes `{lock}` all the same, and "
                "nobody releases it: `shield` what it waits for, and release it when that is done",
            )
            continue
        outer = _releasing_try(context, statement, lock)
        if outer is not None:
            if outer.body[0] is statement:
                context.report(
                    RULE.code,
                    node,
                    f"if this is cancelled while it waits, the `finally` releases `{lock}`, which "
                    f"somebody else holds: put it before the `try`, or use `{_block(node)}`",
                )
        else:
            _check_following(context, node, statement, lock)


def _yields(context: TreeContext) -> Iterator[ast.Yield]:
    """The `yield`s that wait for a Deferred."""
    for node, _ in context.unit.nodes(ast.Yield):
        function = context.function_of(node)
        if isinstance(function, FunctionNode) and context.awaits_by_yield(function):
            yield node


def _block(node: ast.Await | ast.Yield) -> str:
    """What takes a lock and releases it whatever happens."""
    return "async with" if isinstance(node, ast.Await) else "lock.run(...)"


def _check_changes(context: TreeContext, function: FunctionNode) -> None:
    for found in undone_by_hand(context, function):
        _report_change(context, found, found.made, is_certain=found.is_guard)
    for found in given_back_too_late(context, function):
        name = context.line(found.made.targets[0])  # type: ignore[attr-defined]
        context.report(
            RULE.code,
            found.made,
            f"`{name}` is never given back if line {found.risk.lineno} raises or is cancelled, as "
            f"only line {found.undoing.lineno} does it: let the `try` begin right behind this",
        )
    for found in lost_by_entry(context, function):
        is_lock = found.change is not None and found.change.kind == "lock"
        context.report(
            RULE.code,
            found.made,
            f"if line {found.risk.lineno} raises or is cancelled, `__aexit__` is not called, and "
            f"`{context.line(found.undoing)}` in line {found.undoing.lineno} not reached: undo it "
            "in `except BaseException`",
            profile=Profile.RECOMMENDED if is_lock else Profile.STRICT,
        )
    for each in unshielded(context, function) if isinstance(function, ast.AsyncFunctionDef) else ():
        _report_unshielded(context, each)
    keeps = "Future(" in context.unit.text or "create_future(" in context.unit.text
    methods = {each.name: each for each in own_methods(context)} if keeps else {}
    if methods and isinstance(function, ast.AsyncFunctionDef):
        for waiting, place in left_registered(context, methods, function):
            context.report(
                RULE.code,
                waiting,
                f"when its time is over, or this is cancelled, what waits in `{place}` stays there "
                "for good, as only an answer takes it out: take it out in `finally`",
                profile=Profile.STRICT,
            )
    for found in skipped_releases(context, function):
        _report_change(context, found, found.risk, is_certain=True)
    for found in skipped_by_cleanup(context, function):
        is_lock = found.change is not None and found.change.kind == "lock"
        _report_change(context, found, found.risk, is_certain=is_lock)


def _report_unshielded(context: TreeContext, found: Unshielded) -> None:
    if found.scope is None:
        why = "this runs in a scope that is cancelled, and is cancelled, too, as soon as it waits"
    else:
        why = (
            f"where the scope of line {found.scope.lineno} is cancelled, this is, too, as soon as "
            "it waits"
        )
    context.report(
        RULE.code,
        found.node,
        f"{why}, so that the clean-up may not be done: put it into `with CancelScope(shield=True)`",
    )


def _report_change(
    context: TreeContext, found: Skipped, node: ast.AST, *, is_certain: bool
) -> None:
    line = "this" if node is found.risk else f"line {found.risk.lineno}"
    why = ", which keeps this function from doing its work again" if found.is_guard else ""
    context.report(
        RULE.code,
        node,
        f"if {line} raises or is cancelled, `{context.line(found.undoing)}` in line "
        f"{found.undoing.lineno} is not reached{why}: put it into a `finally` of its own",
        profile=Profile.RECOMMENDED if is_certain else Profile.STRICT,
    )


def _acquired(context: TreeContext, node: ast.Await | ast.Yield) -> str | None:
    """The text of the lock of asyncio or Twisted that is taken here."""
    match node.value:
        case ast.Call(ast.Attribute(lock, "acquire")) if _is_lock(context, lock):
            return ast.unparse(lock)
        case ast.Call(_, [ast.Call(ast.Attribute(lock, "acquire")), *_]) as limited:
            if Role.TIME_LIMITER in context.roles(limited) and _is_lock(context, lock):
                return ast.unparse(lock)
        # The lock of threads, which another thread waits for: `run_in_executor(None, lock.acquire)`
        case ast.Call(func, [*_, ast.Attribute(lock, "acquire")]) if last_name(func) in _IN_THREAD:
            return ast.unparse(lock)
    return None


def _is_taken_by_thread(
    context: TreeContext, node: ast.Await | ast.Yield, statement: ast.stmt, lock: str
) -> bool:
    """Whether a thread waits for the lock, and goes on when this is cancelled, and nobody sees to
    it. A thread of anyio or trio is waited for even then."""
    match node.value:
        case ast.Call(func, [*_, ast.Attribute(_, "acquire")]) if last_name(func) in _GOING_ON:
            return not context.is_named_at_ends(statement, lock)
    return False


def _is_lock(context: TreeContext, node: ast.expr) -> bool:
    """Whether it is a lock of asyncio or Twisted, or something unknown that is taken as one is."""
    members = members_of(context.type_of(node))
    if all(isinstance(each, Unknown) for each in members):
        return isinstance(context.statement_of(node), ast.Expr)
    return is_lock(context, node)


def _releasing_try(context: TreeContext, statement: ast.stmt, lock: str) -> ast.Try | None:
    """The `try` around a statement of its body that releases the lock whatever happens."""
    attempts = attempts_around(context, statement)
    return next((each for each in attempts if _releases(each.finalbody, lock)), None)


def _releases(body: list[ast.stmt], lock: str) -> bool:
    """Whether a statement right in a block releases the lock."""
    calls = (called(each) for each in body if isinstance(each, ast.Expr))
    return any(call is not None and _is_release(call, lock) for call in calls)


def _is_release(node: ast.AST, lock: str) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "release"
        and not node.args
        and ast.unparse(node.func.value) == lock
    )


def _check_following(
    context: TreeContext, node: ast.Await | ast.Yield, statement: ast.stmt, lock: str
) -> None:
    function = context.function_of(node)
    if not isinstance(function, FunctionNode) or _is_released_by_a_handler(function, lock):
        return
    taken = Change(lock, "lock")
    for leaving, release in _left_before_release(context, statement, lock):
        context.report(
            RULE.code,
            node,
            f"`{lock}` is never released where line {leaving.lineno} leaves, as only line "
            f"{release.lineno} releases it: use `{_block(node)}`",
        )
        return
    kinds = Suspension if isinstance(node, ast.Await) else SuspensionOrYield
    for each, risks in _until_release(context, statement, lock, kinds):
        if risks and not is_undone_elsewhere(context, function, statement, risks[0], taken):
            context.report(
                RULE.code,
                node,
                f"`{lock}` is never released if line {risks[0].lineno} raises or is cancelled, as "
                f"only line {each.lineno} releases it: use `{_block(node)}`",
            )


def _left_before_release(
    context: TreeContext, statement: ast.stmt, lock: str
) -> Iterator[tuple[ast.stmt, ast.stmt]]:
    """A `return` or `raise` between, before which nothing releases the lock; and the release.

    Whatever names the lock on the way may see to it, or tell the caller that it is held.
    """
    leaving: ast.stmt | None = None
    for each in context.behind(statement):
        attempt = as_try(each)
        if _releases([each], lock) or (attempt and _releases(attempt.finalbody, lock)):
            if leaving is not None:
                yield leaving, each
            return
        nodes = list(own_nodes([each]))
        if any(isinstance(node, ast.expr) and ast.unparse(node) == lock for node in nodes):
            return
        found = (node for node in nodes if isinstance(node, ast.Return | ast.Raise))
        leaving = leaving or next(found, None)


def _until_release(
    context: TreeContext, statement: ast.stmt, lock: str, kinds: UnionType
) -> Iterator[tuple[ast.stmt, list[SuspensionOrYield]]]:
    """The statement behind that releases the lock, and the suspension points before it."""
    risks: list[SuspensionOrYield] = []
    for each in context.behind(statement):
        attempt = as_try(each)
        if attempt is not None:
            final = any(_is_release(node, lock) for node in own_nodes(attempt.finalbody))
            if final:
                yield attempt.finalbody[0], risks
                return
        if _releases([each], lock):
            yield each, risks
            return
        if any(_is_release(node, lock) for node in own_nodes([each])):
            return  # On some path; which one is not known here.
        for node in own_nodes([each]):
            if isinstance(node, kinds) and may_be_left_at(context, node):
                assert isinstance(node, SuspensionOrYield)
                risks.append(node)


def _is_released_by_a_handler(function: FunctionNode, lock: str) -> bool:
    return any(
        _is_release(node, lock)
        for handler in body_nodes(function, ast.ExceptHandler)
        for node in body_nodes(handler)
    )


def screen(unit: Unit) -> bool:
    """Whether the unit waits for something, and may undo something."""
    return "async def" in unit.text or "yield" in unit.text


RULE = Rule(
    code="LCX307",
    fixes="none",
    screen=screen,
    check=check,
)
