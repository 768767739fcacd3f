"""Two ways fire one Deferred, or set one Future, and neither looks whether the other has.

## Why

A Deferred fires once, and a Future gets one result. Where a time limit fails what waits for an
answer and leaves it where it was, the late answer raises `AlreadyCalledError` or
`InvalidStateError` in whatever code received it; so does a time limit that nobody cancelled when
the answer came.

So do an `errback` without `return` before the `callback`, a `connectionLost` that fires what an
answer has fired, and an answer to what `wait_for` or `timeout` has cancelled when its time was
over.

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

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.fired_twice import (
    Methods,
    Twice,
    at_end_too,
    by_timed_method,
    by_timer,
    on_one_path,
)
from logctx_lint.analysis.late_answers import LIMITS, late_answers
from logctx_lint.analysis.started_tasks import class_node
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Profile
from logctx_lint.inference.known_names import COMPLETERS
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Rule

_ENDS = frozenset({Role.CONNECTION_END})
_FACTORY_END = "clientConnectionLost"


def check(context: TreeContext) -> None:
    node = context.unit.node
    if not isinstance(node, FunctionNode):
        return
    cls = class_node(context)
    body = cls.body if cls else []
    methods = {each.name: each for each in body if isinstance(each, FunctionNode)}
    for twice in (*on_one_path(context, methods, node), *by_timer(context, node)):
        _report(
            context,
            twice,
            twice.first,
            f"`{twice.place}` is fired here and in line {twice.second.lineno}, and nothing sees to "
            "it that only one of them does: the second one fails",
        )
    if methods:
        _check_method(context, methods, node)


def _check_method(context: TreeContext, methods: Methods, node: FunctionNode) -> None:
    if context.file.vocabulary.has_bare_name(node.name, _ENDS) or node.name == _FACTORY_END:
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
    if any(f".{name}" in text for name in COMPLETERS):
        return True
    return "await" in text and unit.may_call(LIMITS)


RULE = Rule(
    code="LCX507",
    fixes="none",
    screen=screen,
    check=check,
)
