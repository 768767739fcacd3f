"""A log context or tracing span is entered or left by hand.

## Why

`__enter__()` in one function and `__exit__()` in another leave the context open when something
between raises, and run other code in it meanwhile. Left on several paths, it is left twice on one
of them some day, or not at all. `with` and `ExitStack` leave it exactly once.

## Bad

```python
from logctx_lint.runtime import LoggingContext


class Transfer:
    def start(self) -> None:
        self.context = LoggingContext("transfer")
        self.context.__enter__()

    def stop(self) -> None:
        self.context.__exit__(None, None, None)
```

## Good

```python
from logctx_lint.runtime import LoggingContext


def work() -> None: ...


def transfer() -> None:
    with LoggingContext("transfer"):
        work()
```

```python
from contextlib import ExitStack

from logctx_lint.runtime import LoggingContext


def work() -> None: ...


def transfer(is_large: bool) -> None:
    with ExitStack() as stack:
        if is_large:
            stack.enter_context(LoggingContext("transfer"))
        work()
```

## Fix

None: where the block begins and ends is for a person to decide.

## Settings

`vocabulary` adds the project's own `context-manager`, `tracing-span` and `context-binding` names.

## Use instead

`with` a `logctx_lint.runtime.LoggingContext`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import groupby

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.log_contexts.log_contexts import plays
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import all_nodes, start_of

_OPENERS = frozenset({Role.CONTEXT_MANAGER, Role.TRACING_SPAN, Role.CONTEXT_BINDING})
_ENTER, _EXIT = "__enter__", "__exit__"
_PROTOCOL = frozenset({_ENTER, _EXIT, "__aenter__", "__aexit__"})
_Call = tuple[ast.Call, Scope]


def check(context: TreeContext) -> None:
    for call, why in _by_hand(context.unit):
        if context.is_placed(call):
            callee = context.line(call.func)
            context.report(
                RULE.code,
                call,
                f"`{callee}()` is called by hand, and {why}: use `with`, or an `ExitStack`",
            )


def _by_hand(unit: Unit) -> Iterator[tuple[ast.Call, str]]:
    """The calls to be reported, and why: of one context in one unit, only where it is entered."""
    if _ENTER not in unit.text and _EXIT not in unit.text:
        return
    calls = [
        (call, scope)
        for call, scope in unit.nodes(ast.Call)
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in (_ENTER, _EXIT)
        and not _is_in_protocol(scope)
        and plays(unit.file, call.func.value, scope, _OPENERS)
    ]
    calls.sort(key=_receiver)
    for _, group in groupby(calls, key=_receiver):
        same = sorted(group, key=lambda each: start_of(each[0]))
        enters = [each for each in same if _method(each) == _ENTER]
        exits = [each for each in same if _method(each) == _EXIT]
        for call, _ in () if enters else exits:
            yield call, "it is entered in another function"
        for call, scope in enters:
            why = _why(unit, scope, exits)
            if why:
                yield call, why


def _receiver(call: _Call) -> str:
    assert isinstance(call[0].func, ast.Attribute)
    return ast.unparse(call[0].func.value)


def _method(call: _Call) -> str:
    assert isinstance(call[0].func, ast.Attribute)
    return call[0].func.attr


def _why(unit: Unit, scope: Scope, exits: list[_Call]) -> str | None:
    """What is wrong with how a context that is entered in `scope` is left."""
    if not exits:
        return "it is left in another function, or never"
    if any(each is not scope for _, each in exits):
        return "it is left in another function"
    if len(exits) > 1:
        return "it is left on several paths, each of which must leave it exactly once"
    return None if _in_finally(unit, exits[0][0]) else "it is not left on every path"


def _in_finally(unit: Unit, call: ast.Call) -> bool:
    return any(
        inner is call
        for node in all_nodes(unit.node, ast.Try)
        for statement in node.finalbody
        for inner in all_nodes(statement)
    )


def _is_in_protocol(scope: Scope) -> bool:
    """Whether code belongs to a class's own way to be entered and left."""
    inner: Scope | None = scope
    while inner is not None:
        if isinstance(inner.node, FunctionNode) and inner.node.name in _PROTOCOL:
            return True
        inner = inner.parent
    return False


RULE = Rule(
    code="LCX404",
    fixes="none",
    check=check,
)
