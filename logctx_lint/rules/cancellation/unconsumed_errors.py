"""Failures after the first are logged as unhandled, for nobody consumes them.

## Why

`gatherResults`, and `DeferredList` with `fireOnOneErrback`, tell their waiter of one failure.
Without `consumeErrors=True` every other failure stays in its own Deferred and is logged as
unhandled when that is collected: noise that looks like a bug, and without a log context. A
`DeferredList` that waits for all has the failures among its results, and they are logged all the
same. An `ObservableDeferred` may be kept where nobody observes it when it fails.

Opt-in: where each Deferred has an errback of its own, there is nothing to consume. A
`DeferredList` whose results nobody looks at is silent, and so is one in a test: what is logged is
then all that is heard of a failure.

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

`consumeErrors=True` is added. Safe where the first failure comes out as before, and the Deferreds
are made on the spot. Unsafe where somebody else may have them, as callbacks that are added later
get None then; on an `ObservableDeferred`, for the same reason; and on a `DeferredList` that waits
for all: there it must be seen that the results are looked at.

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
    flag = _given(call, _FLAG, _POSITIONS[next(iter(roles))])
    if flag is not None and not _is_false(flag):
        return
    is_observable = Role.OBSERVABLE in roles
    if is_observable and (flag or not _is_shared(context, call) or _has_errback(context, call)):
        return
    waits_for_all = Role.DEFERRED_LIST in roles and not _fails_at_once(call)
    if waits_for_all and (context.file.module.is_test or _is_dropped(context, call)):
        return  # What is logged is all that is heard of a failure, and makes trial's tests fail.
    what = "every failure after the first"
    if is_observable:
        what = "a failure that nobody observes"
    elif waits_for_all:
        what = "every failure, beside giving it among its results,"
    is_safe = not is_observable and not waits_for_all and _are_made_here(context, call)
    context.report(
        RULE.code,
        call,
        f"`{context.line(call.func)}()` leaves {what} to be logged as unhandled when it is "
        f"collected: add `{_FLAG}=True`",
        _fixes(context, call, flag, Applicability.SAFE if is_safe else Applicability.UNSAFE),
    )


def _fails_at_once(call: ast.Call) -> bool:
    """Whether a `DeferredList` fails with the first of its Deferreds that does."""
    flag = _given(call, "fireOnOneErrback", 2)
    return flag is not None and not _is_false(flag)


def _is_dropped(context: TreeContext, call: ast.Call) -> bool:
    """Whether nobody looks at what a call gives, awaited or not."""
    parent = context.parent(call)
    if isinstance(parent, ast.Await | ast.Yield):
        parent = context.parent(parent)
    return isinstance(parent, ast.Expr)


def _are_made_here(context: TreeContext, call: ast.Call) -> bool:
    """Whether the Deferreds that are gathered are made for that: nobody else has them."""
    given = next(iter(arguments(call)), None)
    values = [given]
    if isinstance(given, ast.Name):
        values = [each.value for each in context.scopes[given].reaching_name(given)]
    return bool(values) and all(map(_is_list_of_calls, values))


def _is_list_of_calls(value: ast.AST | None) -> bool:
    match value:
        case ast.List(elts) | ast.Tuple(elts):
            return all(isinstance(each, ast.Call) for each in elts)
        case ast.ListComp(elt) | ast.GeneratorExp(elt):
            return isinstance(elt, ast.Call)
    return False


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


def _given(call: ast.Call, name: str, position: int) -> ast.expr | None:
    """The argument of a parameter, given by its place or its name."""
    named = (each.value for each in call.keywords if each.arg == name)
    return next(iter(call.args[position : position + 1]), None) or next(named, None)


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


RULE = Rule(
    code="LCX306",
    fixes="`consumeErrors=True` (safe for Deferreds made on the spot)",
    check=check,
    applies=Applies.TWISTED,
)
