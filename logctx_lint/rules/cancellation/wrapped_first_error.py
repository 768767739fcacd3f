"""The first failure of gathered Deferreds comes out wrapped in `FirstError`.

## Why

`gatherResults` passes `cancel()` on to every Deferred that it waits for, and wraps the first
failure that it sees in a `FirstError`. So a cancellation comes out as `FirstError(CancelledError)`,
which `except CancelledError: raise` does not recognise and the next `except Exception` swallows;
and callers that look for their own exceptions do not find them.

## Bad

```python
from twisted.internet import defer


async def both(first: "defer.Deferred[int]", second: "defer.Deferred[int]") -> None:
    await defer.gatherResults([first, second], consumeErrors=True)
```

## Good

```python
from twisted.internet import defer

from logctx_lint.runtime import unwrapFirstError


async def both(first: "defer.Deferred[int]", second: "defer.Deferred[int]") -> None:
    await defer.gatherResults([first, second], consumeErrors=True).addErrback(unwrapFirstError)
```

## Fix

Safe where the project has an unwrapper: `.addErrback(unwrapFirstError)` is added with its import.
Where it has none, the fix brings in the reference runtime's, and is unsafe.

## Settings

`vocabulary` adds the project's own `gatherer` and `first-error-unwrapper` names.

## Use instead

`logctx_lint.runtime.unwrapFirstError`, or the helpers that unwrap already:
`logctx_lint.runtime.yieldable_gather_results`, `logctx_lint.runtime.gather_optional_coroutines`.
"""

from __future__ import annotations

import ast
from typing import TypeGuard

from logctx_lint.analysis.awaitables.gathered_operands import OF_DEFERREDS, may_gather
from logctx_lint.analysis.context import TreeContext, arguments, in_source_order
from logctx_lint.analysis.possible_values import possible_elements
from logctx_lint.analysis.surroundings import attempts_around
from logctx_lint.analysis.units import File
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Fix, Profile
from logctx_lint.fixes.edits import after, helper
from logctx_lint.inference.raised_errors import RaisedErrors
from logctx_lint.inference.returned_values import UNKNOWN_VALUE
from logctx_lint.inference.types import FunctionType, callees_of, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.rules.rule import Applies, Rule
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, is_name, returned_values

_PASSERS = frozenset({Role.YIELDABLE_WRAPPER, Role.CANCELLATION_SHIELD, Role.DEFERRED_PASSER})
_FIRST_ERROR = frozenset({Role.FIRST_ERROR})
_FIRST_ERRBACK = "fireOnOneErrback"
_FIRST_ERRBACK_INDEX = 2
_LOGGING_ERRBACKS = frozenset({"twisted.python.log.err", "twisted.python.log.deferr"})
_UNWRAPPING = ("subFailure", "FirstError")
"""Words that an errback which unwraps cannot do without."""
_LONGEST_DETOUR = 4
"""How many helpers may pass a gathered Deferred on."""


def check(context: TreeContext) -> None:
    file = context.file
    for call, scope in context.unit.nodes(ast.Call):
        if not may_gather(file, call, scope, OF_DEFERREDS) or not context.is_placed(call):
            continue
        use = _use(context, call) if _gathers(file, call, scope, _LONGEST_DETOUR) else None
        if use and not _knows_first_error(context, call):
            if use == "returned" and _is_unwrapped_elsewhere(context, call):
                continue
            if _only_notifies(context, call):
                continue
            _report(context, call, use)


def _only_notifies(context: TreeContext, call: ast.Call) -> bool:
    """Whether all that is gathered are Deferreds that nobody ever fails, and few cancel."""
    if context.file.traits.has_log_contexts or not call.args:
        return False
    gathered = list(possible_elements(call.args[0]))
    return bool(gathered) and all(
        isinstance(each, ast.Call)
        and bool(functions := context.functions(each.func))
        and not any(
            value.can_fail
            for function in functions
            for value in context.file.summaries.of(function).returned or UNKNOWN_VALUE
        )
        for each in gathered
    )


def _report(context: TreeContext, call: ast.Call, use: str) -> None:
    unwrapper = helper(context, Role.FIRST_ERROR_UNWRAPPER)
    name = unwrapper.text if unwrapper else "unwrapFirstError"
    handler = _missed_by(context, call)
    harm = "that a cancellation comes out as FirstError"
    if handler is not None:
        line = context.span(handler).line
        harm = f"that `except {context.line(handler)}` (line {line}) never gets it"
    advice = f"add `.addErrback({name})`"
    if unwrapper is None:
        advice = "add an errback that returns `failure.value.subFailure` of a FirstError"
    is_harmful = handler is not None or context.file.traits.has_log_contexts
    fixes: tuple[Fix, ...] = ()
    if unwrapper:
        edits = (after(context, call, f".addErrback({name})"), *unwrapper.imports)
        fixes = (Fix(f"Add .addErrback({name})", unwrapper.applicability, edits),)
    context.report(
        RULE.code,
        call,
        f"the result of `{context.line(call.func)}()` is {use} with its first failure wrapped, so "
        f"{harm}: {advice}",
        fixes,
        profile=Profile.RECOMMENDED if is_harmful else Profile.STRICT,
    )


def _missed_by(context: TreeContext, call: ast.Call) -> ast.expr | None:
    """The `except SpecificError` around, which looks for what is wrapped."""
    for attempt in attempts_around(context, call):
        for handler in attempt.handlers:
            names = context.names(handler.type) if _is_name(handler.type) else ()
            if names and names[-1] not in ("builtins.Exception", "builtins.BaseException"):
                return handler.type
    return None


def _is_name(node: ast.expr | None) -> TypeGuard[ast.expr]:
    return isinstance(node, ast.Name | ast.Attribute)


def _is_unwrapped_elsewhere(context: TreeContext, call: ast.Call) -> bool:
    """Whether another function of the class knows of FirstError: the chain may end there."""
    scope = context.scopes[call]
    owner = scope.method.owner if scope.method else None
    for node in all_nodes(context.file.tree):
        if isinstance(node, ast.ClassDef) and owner and node.lineno == owner.line:
            return _mentions_unwrapping(node)
    return False


def _hands_on(context: TreeContext, call: ast.Call) -> bool:
    """Whether a call that adds callbacks leaves the failure wrapped."""
    return not (_any_unwraps(context, call) or _any_takes_every_failure(context, call))


def _use(context: TreeContext, node: ast.expr, seen: frozenset[str] = frozenset()) -> str | None:
    """How a gathered result ends up with its failure wrapped; None if it does not."""
    taker = context.taker(node)
    if taker:
        passes = context.roles(taker) & _PASSERS
        return _use(context, taker, seen) if passes else None
    parent = context.parent(node)
    match parent:
        case ast.Await():
            return "awaited"
        case ast.Yield():
            return "awaited" if context.awaits_by_yield(context.function_of(parent)) else None
        case ast.Return():
            return "returned"
        case ast.Attribute():
            call = _chained(context, context.method_call(node))
            return _use(context, call, seen) if call and _hands_on(context, call) else None
        case ast.Lambda():
            # What a callback gives, its Deferred then waits for.
            call = _chained(context, context.taker(parent))
            return _use(context, call, seen) if call else None
        case ast.Assign([ast.Name(name)], value) | ast.AnnAssign(ast.Name(name), _, value):
            return _use_of_name(context, parent, name, seen) if node is value else None
        case ast.NamedExpr(ast.Name(name)):
            return _use_of_name(context, parent, name, seen) or _use(context, parent, seen)
        case ast.IfExp() | ast.BoolOp():
            return _use(context, parent, seen)
    return None


def _chained(context: TreeContext, call: ast.Call | None) -> ast.Call | None:
    """A call, if it adds callbacks to a Deferred."""
    return call if call and Role.CHAINER in context.roles(call) else None


def _use_of_name(
    context: TreeContext, node: ast.AST, name: str, seen: frozenset[str]
) -> str | None:
    """The first use of a local name that lets the wrapped failure out, if none unwraps it."""
    function = context.function_of(node)
    if not isinstance(function, FunctionNode) or name in seen:
        return None
    names = [inner for inner in body_nodes(function) if is_name(inner, name)]
    if any(_is_unwrapped_here(context, each) for each in names):
        return None
    uses = (_use(context, each, seen | {name}) for each in in_source_order(names))
    return next((use for use in uses if use), None)


def _is_unwrapped_here(context: TreeContext, name: ast.Name) -> bool:
    """`d.addErrback(unwrapFirstError)`, further callbacks in between or not."""
    call = context.method_call(name)
    while call:
        if _any_unwraps(context, call) or _any_takes_every_failure(context, call):
            return True
        call = context.method_call(call)
    return False


def _any_takes_every_failure(context: TreeContext, call: ast.Call) -> bool:
    """Whether an errback of this link takes every failure, so that none comes out."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    at = {"addErrback": 0, "addBoth": 0, "addCallbacks": 1}.get(name)
    if at is None or len(call.args) <= at:
        return False
    errback = call.args[at]
    if isinstance(errback, ast.Lambda):
        return isinstance(errback.body, ast.Constant)
    if any(each in _LOGGING_ERRBACKS for each in context.names(errback)):
        return True
    functions = context.functions(errback)
    return bool(functions) and all(_takes_every_failure(context, each) for each in functions)


def _takes_every_failure(context: TreeContext, function: Function) -> bool:
    """Whether a function neither raises, nor gives its failure or anything else back."""
    function = function.implementation
    node = function.tree()
    if node is None or function.module.is_stub:
        return False
    errors = RaisedErrors(context.resolver, Scope.of_body(function, node))
    return (
        not any(errors.coming_out(node.body))
        and not any(
            each.attr in ("trap", "raiseException") for each in body_nodes(node, ast.Attribute)
        )
        and all(isinstance(each, ast.Constant) for each in returned_values(node))
    )


def _any_unwraps(context: TreeContext, call: ast.Call) -> bool:
    return any(
        _unwraps(context.file, argument, context.scopes[argument]) for argument in arguments(call)
    )


def _knows_first_error(context: TreeContext, node: ast.Call) -> bool:
    """`except FirstError` or `isinstance(e, FirstError)` in the same function."""
    function = context.function_of(node)
    return isinstance(function, FunctionNode) and any(
        isinstance(inner, ast.Name | ast.Attribute)
        and context.file.may_play(inner, _FIRST_ERROR)
        and Role.FIRST_ERROR in context.roles(inner)
        for inner in body_nodes(function)
    )


def _gathers(file: File, call: ast.Call, scope: Scope, detour: int) -> bool:
    """Whether a call gives a Deferred that wraps the first failure, itself or through a helper."""
    roles = file.roles(call.func, scope)
    if Role.GATHERER in roles:
        return True
    if Role.DEFERRED_LIST in roles:
        return _fires_on_one_errback(call)
    return detour > 0 and any(
        isinstance(member, FunctionType)
        and _returns_gathered(file, member.function.implementation, detour - 1)
        for member in members_of(file.resolver.type_of(call.func, scope))
    )


def _fires_on_one_errback(call: ast.Call) -> bool:
    flags = [keyword.value for keyword in call.keywords if keyword.arg == _FIRST_ERRBACK]
    flags += call.args[_FIRST_ERRBACK_INDEX:][:1]
    return any(not isinstance(flag, ast.Constant) or bool(flag.value) for flag in flags)


def _returns_gathered(file: File, function: Function, detour: int) -> bool:
    """Whether a plain function of the project merely returns what a gatherer gives, each time."""
    facts = function.facts
    if facts.is_async or facts.is_generator or function.module.is_stub:
        return False
    if function.name not in file.traits.gathering:
        return False
    node = function.tree()
    if node is None:
        return False
    scope = Scope.of_body(function, node)
    given = [value for value in returned_values(node) if not _is_fired(file, value, scope)]
    return bool(given) and all(_is_gathered(file, value, scope, detour) for value in given)


def _is_fired(file: File, node: ast.expr, scope: Scope) -> bool:
    """`succeed(None)` and the like: nothing is waited for on this path."""
    return isinstance(node, ast.Constant) or (
        isinstance(node, ast.Call) and Role.FIRED in file.roles(node.func, scope)
    )


def _is_gathered(file: File, node: ast.expr, scope: Scope, detour: int) -> bool:
    """Whether an expression is a gathered Deferred that nothing has unwrapped."""
    if isinstance(node, ast.Name):
        return any(
            binding.kind == "value"
            and isinstance(binding.value, ast.Call)
            and _is_gathered(file, binding.value, scope, detour)
            for binding in scope.reaching_name(node)
        ) and not _is_name_unwrapped(file, node.id, scope)
    if not isinstance(node, ast.Call):
        return False
    roles = file.roles(node.func, scope)
    if Role.CHAINER in roles and isinstance(node.func, ast.Attribute):
        return not any(_unwraps(file, argument, scope) for argument in node.args) and (
            _is_gathered(file, node.func.value, scope, detour)
        )
    if roles & _PASSERS:
        return any(_is_gathered(file, each, scope, detour) for each in node.args)
    return _gathers(file, node, scope, detour)


def _is_name_unwrapped(file: File, name: str, scope: Scope) -> bool:
    """Whether an unwrapper is added to a local name, as in `d.addErrback(unwrapFirstError)`."""
    return scope.node is not None and any(
        isinstance(inner, ast.Call)
        and isinstance(inner.func, ast.Attribute)
        and is_name(inner.func.value, name)
        and any(_unwraps(file, argument, scope) for argument in inner.args)
        for inner in all_nodes(scope.node)
    )


def _unwraps(file: File, errback: ast.expr, scope: Scope) -> bool:
    """Whether a callback takes the failure out of a FirstError."""
    if isinstance(errback, ast.Lambda):
        return _mentions_unwrapping(errback)
    if Role.FIRST_ERROR_UNWRAPPER in file.roles(errback, scope):
        return True
    return any(
        _mentions_unwrapping(member.function.tree())
        for member in callees_of(file.resolver.type_of(errback, scope))
    )


def _mentions_unwrapping(node: ast.AST | None) -> bool:
    return node is not None and any(
        (isinstance(inner, ast.Attribute) and inner.attr in _UNWRAPPING)
        or (isinstance(inner, ast.Name) and inner.id in _UNWRAPPING)
        for inner in all_nodes(node)
    )


RULE = Rule(
    code="LCX302",
    fixes="`.addErrback(unwrapFirstError)` + import (safe; unsafe if new to the project)",
    check=check,
    applies=Applies.TWISTED,
)
