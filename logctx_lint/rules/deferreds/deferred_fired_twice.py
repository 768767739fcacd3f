"""Two ways fire one Deferred, or set one Future, and neither looks whether the other has.

## Why

A Deferred fires once, and a Future gets one result. Where a time limit fails what waits for an
answer and leaves it where it was, the late answer raises `AlreadyCalledError` or
`InvalidStateError` in whatever code received it; so does a time limit that nobody cancelled when
the answer came.

So do an `errback` without `return` before the `callback`, a `connectionLost` that fires what an
answer has fired, and an answer to what `wait_for` or `timeout` has cancelled when its time was
over. A timer that is still there sets a Future that a cancelled waiter has cancelled, as in
[aiocron 19](https://github.com/gawel/aiocron/issues/19); so does a loop over all waiters, which
leaves those behind that one waiting forever.

With the profile `strict`, so does whatever answers those who wait as long as it takes: who waits
and is cancelled leaves a cancelled Future where it was kept, or in a callback of something else,
and the answer fails ([aiomqtt 122](https://github.com/empicano/aiomqtt/issues/122)). So does a loop
that fires all waiters and leaves them where they are kept, for the next time
([ooniprobe 676](https://github.com/ooni/probe/issues/676)).

A timer of Twisted can be cancelled until it is called, and then no more: `connectionLost` that
cancels the time limit which has just closed the connection raises `AlreadyCalled`, and does not
reach what else is to be done ([Comet 15](https://github.com/jdswinbank/Comet/issues/15)).

The shape of [Tribler 4191](https://github.com/Tribler/tribler/issues/4191).

## Bad

```python
from twisted.internet import reactor
from twisted.internet.defer import Deferred


class Caller:
    def __init__(self) -> None:
        self.waiting: "dict[int, Deferred[str]]" = {}

    def call(self, number: int) -> None:
        self.waiting[number] = Deferred()
        reactor.callLater(5, self.too_late, number)

    def too_late(self, number: int) -> None:
        self.waiting[number].errback(TimeoutError())

    def answered(self, number: int, text: str) -> None:
        self.waiting[number].callback(text)
```

## Good

```python
from twisted.internet import reactor
from twisted.internet.defer import Deferred


class Caller:
    def __init__(self) -> None:
        self.waiting: "dict[int, Deferred[str]]" = {}

    def call(self, number: int) -> None:
        self.waiting[number] = Deferred()
        reactor.callLater(5, self.too_late, number)

    def too_late(self, number: int) -> None:
        waiting = self.waiting.pop(number, None)
        if waiting:
            waiting.errback(TimeoutError())

    def answered(self, number: int, text: str) -> None:
        waiting = self.waiting.pop(number, None)
        if waiting:
            waiting.callback(text)
```

## Fix

None.

## When not to use it

Where something else makes sure of it. Code that takes the Deferred out, forgets it, cancels the
timer or asks whether it was fired is silent, and so are two ways of which each sets what the other
asks first: a flag, a state. What is not known to be a Deferred or a Future is reported with the
profile `strict` only, if its methods are named like theirs.

## Use instead

`pop`, or `Deferred.addTimeout`; `logctx_lint.runtime.ObservableDeferred` where several wait.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.deferreds.cancelled_waiters import (
    set_by_callback,
    set_from_thread,
    set_in_a_row,
)
from logctx_lint.analysis.deferreds.fired_twice import (
    Methods,
    Twice,
    at_end_too,
    by_bare_timer,
    by_timed_method,
    by_timer,
    on_one_path,
)
from logctx_lint.analysis.deferreds.late_answers import (
    LIMITS,
    answers_to_cancelled,
    late_answers,
)
from logctx_lint.analysis.deferreds.late_timers import after_the_wait
from logctx_lint.analysis.deferreds.left_waiters import fired_again
from logctx_lint.analysis.deferreds.spent_timers import spent_timers
from logctx_lint.analysis.own_class import own_methods
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Profile
from logctx_lint.inference.known_names import COMPLETERS
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Rule

_ENDS = frozenset({Role.CONNECTION_END})
_COMPLETING = tuple(f".{name}" for name in COMPLETERS)


def check(context: TreeContext) -> None:
    node = context.unit.node
    if not isinstance(node, FunctionNode):
        return
    methods = {each.name: each for each in own_methods(context)}
    for twice in (*on_one_path(context, methods, node), *by_timer(context, node)):
        _report(
            context,
            twice,
            twice.first,
            f"`{twice.place}` is fired here and in line {twice.second.lineno}, and nothing sees to "
            "it that only one of them does: the second one fails",
        )
    told: set[ast.AST] = set()
    for function in context.unit.scopes:
        if isinstance(function, ast.AsyncFunctionDef):
            told.update(_check_late(context, function))
        if isinstance(function, FunctionNode):
            told.update(_check_threads(context, function))
    for found in set_in_a_row(context, node) if methods else ():
        context.report(
            RULE.code,
            found.setting,
            f"where one of those who wait (line {found.waiting.lineno}) has been cancelled, its "
            f"Future is still in `{found.place}`, and this fails: all behind it wait forever; ask "
            "`done()`",
        )
    for spent in spent_timers(context) if methods else ():
        context.report(
            RULE.code,
            spent.cancelling,
            f"`{context.line(spent.cancelling.func)}()` raises AlreadyCalled once the timer has "
            f"called `{spent.called.name}()`, which leaves it there: ask `active()`",
            profile=Profile.RECOMMENDED if spent.is_sure else Profile.STRICT,
        )
    if methods:
        _check_method(context, methods, node, told)
        for firing, place in fired_again(context, methods, node):
            context.report(
                RULE.code,
                firing,
                f"what `{place}` keeps is fired here and stays there, so that the next call of "
                f"`{node.name}()` fires it again, which fails: take it out first, `waiting, "
                f"{place} = {place}, []`",
                profile=Profile.STRICT,
            )


def _check_late(context: TreeContext, function: ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """What sets a Future that is cancelled with its waiter: a timer, or a callback.

    What is yielded is the waiting.
    """
    for timer, waiting, firing in after_the_wait(context, function):
        is_kept = isinstance(context.parent(timer), ast.Assign)
        context.report(
            RULE.code,
            timer,
            f"when the waiting in line {waiting.lineno} is cancelled, so is the Future, and this "
            f"timer sets it all the same (line {firing.lineno}), which fails: cancel the timer in "
            "`finally`, or ask `done()`",
            profile=Profile.STRICT if is_kept else Profile.RECOMMENDED,
        )
        yield waiting
    for found in set_by_callback(context, function):
        context.report(
            RULE.code,
            found.setting,
            f"when the waiting in line {found.waiting.lineno} is cancelled, so is "
            f"`{found.place}`, and what this is given to sets it all the same, which fails: ask "
            f"`{found.place}.done()`, or take it back in `finally`",
            profile=Profile.STRICT,
        )
        yield found.waiting


def _check_threads(context: TreeContext, function: FunctionNode) -> Iterator[ast.AST]:
    """What another thread sets though its waiter may be cancelled; yields the waiting."""
    for found in set_from_thread(context, function):
        who = (
            f"the waiting in line {found.waiting.lineno}"
            if isinstance(found.waiting, ast.Await)
            else f"whoever waits for what line {found.waiting.lineno} returns"
        )
        context.report(
            RULE.code,
            found.setting,
            f"when {who} is cancelled, so is `{found.place}`, and setting it fails: hand over a "
            f"function that asks `{found.place}.done()` first",
            profile=Profile.STRICT,
        )
        yield found.waiting


def _check_method(
    context: TreeContext, methods: Methods, node: FunctionNode, told: set[ast.AST]
) -> None:
    if context.file.vocabulary.has_bare_name(node.name, _ENDS):
        for twice in at_end_too(context, methods, node):
            _report(
                context,
                twice,
                twice.second,
                f"`{twice.place}` is fired in line {twice.first.lineno}, and here again, as "
                f"`{node.name}()` is called at the end of every connection: the second one "
                "fails; forget it when it has fired",
            )
    if isinstance(node, ast.AsyncFunctionDef):
        for twice in late_answers(context, methods, node):
            _report(
                context,
                twice,
                twice.first,
                f"when its time is over, what `{twice.place}` keeps is cancelled and stays there: "
                f"an answer that comes late fails in line {twice.second.lineno}; take it out in "
                "`finally`",
            )
        for twice in answers_to_cancelled(context, methods, node):
            if twice.first in told:
                continue
            context.report(
                RULE.code,
                twice.first,
                f"when this is cancelled, so is what `{twice.place}` keeps, and it stays there: "
                f"what comes for it later fails in line {twice.second.lineno}; take it out in "
                "`finally`, or ask `done()` there",
                profile=Profile.STRICT,
            )
    for twice in by_bare_timer(context, methods, node):
        _report(
            context,
            twice,
            twice.first,
            f"this timer fires `{twice.place}` whether line {twice.second.lineno} has fired it or "
            "not, as nobody can stop it: the second one fails; keep the timer and cancel it, or "
            "use `addTimeout` or `wait_for`",
        )
    for twice in by_timed_method(context, methods, node):
        _report(
            context,
            twice,
            twice.first,
            f"`{twice.place}` is fired by this timer and in line {twice.second.lineno}, and "
            "neither takes it away or asks whether it has fired: the second one fails; `pop` it",
        )


def _report(context: TreeContext, twice: Twice, node: ast.expr, message: str) -> None:
    profile = Profile.RECOMMENDED if twice.is_known else Profile.STRICT
    context.report(RULE.code, node, message, profile=profile)


def screen(unit: Unit) -> bool:
    """Whether the unit completes something, or may wait for it with a time limit."""
    text = unit.text
    if any(name in text for name in _COMPLETING):
        return True
    if ".cancel()" in text and unit.scope.owner is not None:
        return True
    if any(name in text for name in ("call_later", "call_at", "call_soon_threadsafe")):
        return True
    if "await" not in text:
        return False
    return "create_future(" in text or "Future(" in text or unit.may_call(LIMITS)


RULE = Rule(
    code="LCX507",
    fixes="none",
    screen=screen,
    check=check,
)
