"""Failures after the first are logged as unhandled, for nobody consumes them.

## Why

`gatherResults` and `DeferredList` tell their waiter of one failure. Without `consumeErrors=True`
every other failure stays in its own Deferred and is logged as unhandled when that is collected:
noise that looks like a bug, and without a log context. The same holds for an `ObservableDeferred`
that is kept where nobody may be observing it when it fails.

Opt-in: where each Deferred has an errback of its own, there is nothing to consume.

## Bad

```python
from twisted.internet import defer
from twisted.internet.defer import Deferred


def both(first: "Deferred[int]", second: "Deferred[int]") -> "Deferred[list[int]]":
    return defer.gatherResults([first, second])
```

## Good

```python
from twisted.internet import defer
from twisted.internet.defer import Deferred


def both(first: "Deferred[int]", second: "Deferred[int]") -> "Deferred[list[int]]":
    return defer.gatherResults([first, second], consumeErrors=True)
```

## Fix

`consumeErrors=True` is added. Safe on a gatherer: the first failure comes out as before. Unsafe on
an `ObservableDeferred`: callbacks that are added to the Deferred inside it get None then.

## Settings

`enable = ["LCX306"]` switches it on. `vocabulary` adds the project's own `gatherer`,
`deferred-list` and `observable` names.

## Use instead

`logctx_lint.runtime.yieldable_gather_results` or `logctx_lint.runtime.gather_optional_coroutines`,
which consume them.
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.context import TreeContext, arguments
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Applicability, Edit, Fix
from logctx_lint.fixes.import_edits import insertion
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Applies, Rule
from logctx_lint.syntax.ast_walk import body_nodes, is_name, targets_of

_FLAG = "consumeErrors"
# Where the flag stands when it is given by its place.
_POSITIONS = {Role.GATHERER: 1, Role.DEFERRED_LIST: 3, Role.OBSERVABLE: 1}
_ROLES = frozenset(_POSITIONS)


def check(context: TreeContext) -> None:
    for call, _ in context.unit.nodes(ast.Call):
        if context.file.may_play(call.func, _ROLES) and context.is_placed(call):
            _check(context, call, context.roles(call) & _ROLES)


def _check(context: TreeContext, call: ast.Call, roles: frozenset[Role]) -> None:
    if not roles or _has_stars(call):
        return
    flag = _flag(call, _POSITIONS[next(iter(roles))])
    if flag is not None and not _is_false(flag):
        return
    is_observable = Role.OBSERVABLE in roles
    if is_observable and (flag or not _is_shared(context, call) or _has_errback(context, call)):
        return
    what = "a failure that nobody observes" if is_observable else "every failure after the first"
    context.report(
        RULE.code,
        call,
        f"`{context.line(call.func)}()` leaves {what} to be logged as unhandled when it is "
        f"collected: add `{_FLAG}=True`",
        _fixes(context, call, flag, Applicability.UNSAFE if is_observable else Applicability.SAFE),
    )


def _fixes(
    context: TreeContext, call: ast.Call, flag: ast.expr | None, applicability: Applicability
) -> tuple[Fix, ...]:
    written = context.written(call)
    if flag is not None:
        edit = Edit(context.span(flag), "True")
    elif written and written.end_of_arguments and not written.has_bare_generator:
        end = written.end_of_arguments
        edit = insertion(end.line, end.column, f", {_FLAG}=True")
    else:
        return ()
    return (Fix(f"Add {_FLAG}=True", applicability, (edit,)),)


def _has_errback(context: TreeContext, call: ast.Call) -> bool:
    """Whether the function handles the failures of what it makes observable."""
    observed = next(iter(arguments(call)), None)
    function = context.function_of(call)
    return (
        isinstance(observed, ast.Name)
        and isinstance(function, FunctionNode)
        and any(
            inner.attr in ("addErrback", "addBoth", "addCallbacks")
            and is_name(inner.value, observed.id)
            for inner in body_nodes(function, ast.Attribute)
        )
    )


def _is_shared(context: TreeContext, call: ast.Call) -> bool:
    """Whether an observable is kept where it may be without an observer when it fails."""
    if context.taker(call):
        return True
    function = context.function_of(call)
    return any(
        not isinstance(target, ast.Name)
        or not isinstance(function, FunctionNode)
        or _is_put_away(context, target.id, function)
        for target in targets_of(context.parent(call))
    )


def _is_put_away(context: TreeContext, name: str, function: FunctionNode) -> bool:
    """Whether a local name is stored or handed on, or is no local name."""
    for inner in body_nodes(function):
        if isinstance(inner, ast.Global | ast.Nonlocal) and name in inner.names:
            return True
        if is_name(inner, name):
            parent = context.parent(inner)
            is_element = isinstance(parent, ast.List | ast.Tuple | ast.Set | ast.Dict)
            is_bound = isinstance(parent, ast.Assign) and parent.value is inner
            if is_element or is_bound or context.taker(inner):
                return True
    return False


def _has_stars(call: ast.Call) -> bool:
    return any(isinstance(each, ast.Starred) for each in call.args) or any(
        each.arg is None for each in call.keywords
    )


def _flag(call: ast.Call, position: int) -> ast.expr | None:
    named = (each.value for each in call.keywords if each.arg == _FLAG)
    return next(iter(call.args[position : position + 1]), None) or next(named, None)


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


RULE = Rule(
    code="LCX306",
    fixes="`consumeErrors=True` (safe; unsafe on an observable)",
    check=check,
    applies=Applies.TWISTED,
)
