"""A function returns an awaitable on one path, and None or a value on another.

## Why

Its callers cannot use it: awaiting what it returns fails where that is None, and not awaiting it
drops the work where it is not. `yield` under `@inlineCallbacks` and `maybeDeferred` take both,
which hides the mistake until the first `await`, or the first `addCallback`.

## Bad

```python
class Store:
    def __init__(self) -> None:
        self.cache = {}

    async def load(self, name: str) -> str: ...

    def get(self, name):
        if name in self.cache:
            return None
        return self.load(name)
```

```python
from twisted.internet.defer import Deferred


def fetch(name: str) -> "Deferred[str]": ...


def fetch_all(names):
    if names:
        return fetch(",".join(names))
```

## Good

```python
from twisted.internet.defer import Deferred, succeed


def fetch(name: str) -> "Deferred[str]": ...


def fetch_all(names):
    if names:
        return fetch(",".join(names))
    return succeed("")
```

An annotation says that it is meant, and a type checker then looks after the callers:

```python
from typing import Optional

from twisted.internet.defer import Deferred


def fetch(name: str) -> "Deferred[str]": ...


def fetch_all(names) -> "Optional[Deferred[str]]":
    if names:
        return fetch(",".join(names))
    return None
```

Silent too are callbacks, and methods that a base class, an interface or a dispatcher calls: Twisted
lets many of them return either.

## Fix

None: make it an `async def`, or return an awaitable on every path (`defer.succeed(...)`).

## Use instead

An `async def`, and `await` in it; `logctx_lint.runtime.run_in_background` calls either kind.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeGuard

from logctx_lint.analysis.call_sites import calls_of
from logctx_lint.analysis.called_code import outermost
from logctx_lint.analysis.context import TreeContext, in_source_order
from logctx_lint.analysis.control_flow import Paths
from logctx_lint.analysis.units import File, Unit
from logctx_lint.analysis.unknown_callers import has_unknown_callers
from logctx_lint.findings import Profile
from logctx_lint.inference import constants
from logctx_lint.inference.future_uses import Body
from logctx_lint.inference.types import (
    Awaitability,
    Certainty,
    FunctionType,
    Instance,
    Kind,
    members_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode, parameters_of
from logctx_lint.project.modules import Function
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import body_nodes, is_none


@dataclass(frozen=True, slots=True)
class _Mixed:
    """A function that returns an awaitable, and something else."""

    kind: Kind
    line: int
    """Where it returns the awaitable."""
    other: str
    """What else it returns, and where, in words."""
    caller: str = ""
    """A caller that takes it for an awaitable without a look."""


def check(context: TreeContext) -> None:
    for node, found in _mixed(context.unit):
        caller = f", which {found.caller} does not expect" if found.caller else ""
        is_sure = found.caller or context.file.traits.has_log_contexts
        context.report(
            RULE.code,
            node,
            f"`{node.name}()` returns {found.kind.with_article} (line {found.line}), but "
            f"{found.other}{caller}: return an awaitable on every path, or make it an `async def`",
            span=context.name_span(node),
            profile=Profile.RECOMMENDED if is_sure else Profile.STRICT,
        )


class _Nothing:
    """Only asks which ends can be reached."""

    def __init__(self, file: File, scope: Scope) -> None:
        self._file = file
        self._scope = scope

    def after(self, node: ast.AST, items: frozenset[None]) -> frozenset[None] | None:
        match node:
            case ast.Expr(ast.Call() as call):
                if self._file.summaries.never_returns(call, self._scope):
                    return None
        return items

    def where(self, test: ast.expr, truth: bool, items: frozenset[None]) -> frozenset[None]:
        return items


def _mixed(unit: Unit) -> Iterator[tuple[FunctionNode, _Mixed]]:
    for node, scope in unit.scopes.items():
        if scope.function and isinstance(node, FunctionNode):
            found = _returns_both(unit.file, scope.function, node, scope)
            if found and not has_unknown_callers(unit.file, scope.function):
                callers = list(_callers(unit.file, scope.function))
                if not callers or any(each.how is not _How.TESTED for each in callers):
                    # One that works in two modes is awaited by who knows which it is in.
                    has_modes = unit.file.summaries.of(scope.function).has_two_modes
                    wrong = (
                        each.place for each in callers if each.how is _How.AWAITED and not has_modes
                    )
                    caller = next(wrong, "")
                    is_known = scope.function.is_overloaded or _is_asked_for(
                        unit.file, node, scope, found.line
                    )
                    if caller or not is_known:
                        yield node, replace(found, caller=caller)


_FLAGS = (False, True)
"""What flags are by default; they may be written as 0 and 1."""


def _is_asked_for(file: File, node: FunctionNode, scope: Scope, line: int) -> bool:
    """Whether the caller says by an argument that it wants the awaitable: `run(main, block=True)`.

    So it does by passing what there may be, where the function does something else without:
    `send(line, timeout=None)`.
    """
    optional = {
        argument.arg: default.value
        for argument, default, _ in parameters_of(node.args)
        if isinstance(default, ast.Constant)
    }
    flags = {name for name, value in optional.items() if value in _FLAGS}
    if any(not _is_reached(node, line, flag, value) for flag in flags for value in _FLAGS):
        return True
    bound = {each.id for each in body_nodes(node) if _is_stored(each)}
    return any(
        value is None and name not in bound and _are_two_modes(file, node, scope, name)
        for name, value in optional.items()
    )


def _is_stored(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)


def _are_two_modes(file: File, node: FunctionNode, scope: Scope, name: str) -> bool:
    """Whether a function gives awaitables for one of None and something, and else does other work.

    A function that does nothing without an argument, or gives None, only says that there is none.
    """
    for value, other in ((..., None), (None, ...)):
        reached, runs_out = constants.reachable_returns(node.body, _known(name, value))
        certain = (_answer(file, each.value, scope).is_certain for each in reached)
        if reached and not runs_out and all(certain):
            own = set(_done(node.body, _known(name, other)))
            return bool(own - set(_done(node.body, _known(name, value))))
    return False


def _known(name: str, value: object) -> Callable[[str], ast.Constant | None]:
    constant = ast.Constant(value)  # type: ignore[arg-type]
    return lambda asked: constant if asked == name else None


def _done(
    body: list[ast.stmt], value_of: Callable[[str], ast.Constant | None]
) -> Iterator[ast.stmt]:
    """What is done in some block, where it does anything, as conditions are known to come out."""
    for statement in body:
        match statement:
            case ast.If(test, then, orelse):
                known = constants.outcome(test, value_of)
                for truth, block in ((True, then), (False, orelse)):
                    if known is None or known is truth:
                        yield from _done(block, value_of)
                chosen = then if known else orelse
                if known is not None and chosen and isinstance(chosen[-1], ast.Return | ast.Raise):
                    return
            case ast.Return(None | ast.Constant(None)) | ast.Pass() | ast.Raise():
                pass
            case ast.Expr(ast.Constant()) | ast.Import() | ast.ImportFrom():
                pass
            case _:
                yield statement


def _is_reached(node: FunctionNode, line: int, flag: str, value: bool) -> bool:
    """Whether the `return` of a line may be reached where a flag has some value."""
    reached, _ = constants.reachable_returns(node.body, _known(flag, value))
    return any(each.lineno == line for each in reached)


class _How(Enum):
    """What a caller does with what it gets."""

    TESTED = "tested"
    """It looks first what it is."""
    AWAITED = "awaited"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class _Caller:
    how: _How
    place: str


def _callers(file: File, function: Function) -> Iterator[_Caller]:
    """The calls of a function in its package, as far as they are known."""
    for call, scope, callee in calls_of(file.resolver, function):
        outer = outermost(scope)
        if outer is not None:
            place = f"{scope.module.path.name}:{call.lineno}"
            how = _done_with(Body(outer), call)
            if how is _How.AWAITED and _asks_for_it(file, callee, call):
                how = _How.OTHER
            yield _Caller(how, place)


def _asks_for_it(file: File, callee: FunctionType, call: ast.Call) -> bool:
    """Whether a function gives nothing but an awaitable for the flags that a call passes."""
    node = callee.function.tree()
    if node is None:
        return False
    known = constants.asked_for(file.resolver, callee, call)
    reached, runs_out = constants.reachable_returns(node.body, known)
    scope = Scope.of_body(callee.function, node)
    return not runs_out and all(_answer(file, each.value, scope).is_certain for each in reached)


def _done_with(body: Body, node: ast.expr) -> _How:
    match body.parent(node):
        case ast.Await() | ast.Attribute(_, "addCallback" | "addErrback" | "addBoth"):
            return _How.AWAITED
        case ast.Assign([ast.Name(name)]) | ast.NamedExpr(ast.Name(name)):
            parents = [body.parent(each) for each in body.named(name)]
            if any(isinstance(each, _TESTING) for each in parents):
                return _How.TESTED
            uses = {_done_with(body, each) for each in body.named(name)}
            return _How.AWAITED if _How.AWAITED in uses else _How.OTHER
    return _How.OTHER


_TESTING = (
    ast.If,
    ast.While,
    ast.IfExp,
    ast.Compare,
    ast.BoolOp,
    ast.UnaryOp,
    ast.Assert,
    ast.Call,
)
"""What is around a value that is looked at: a condition, or a call of `isawaitable`, say."""


def _returns_both(
    file: File, function: Function, node: FunctionNode, scope: Scope
) -> _Mixed | None:
    facts = function.facts
    if facts.is_async or facts.is_generator or facts.returns:
        return None
    returns = list(body_nodes(node, ast.Return))
    if not any(isinstance(each.value, _MAY_BE_AWAITABLE) for each in returns):
        return None
    own = {parameter.name for parameter in facts.parameters}
    ordered = in_source_order(returns)
    found = (each for each in ordered if getattr(each.value, "id", "") not in own)
    certain = next((each for each in found if _is_awaitable(file, each.value, scope)), None)
    if certain is None:
        return None
    plain = [each for each in ordered if _is_plain(file, each.value, scope)]
    what = _plain_result(file, node, scope, plain)
    kind = _answer(file, certain.value, scope).kind
    return _Mixed(kind, certain.lineno, what) if what else None


def _is_plain(file: File, value: ast.expr | None, scope: Scope) -> bool:
    """Whether what is returned is surely no awaitable, and tells no mode."""
    is_plain = _answer(file, value, scope).certainty is Certainty.NO
    return is_plain and not _is_mode(file, value, scope)


def _is_awaitable(file: File, value: ast.expr | None, scope: Scope) -> bool:
    # Most functions give no awaitable at all, which names alone say.
    may_be = value is not None and file.prefilter.may_be_awaitable(value, scope)
    return may_be and _answer(file, value, scope).is_certain


def _is_used_otherwise(file: File, value: Instance) -> bool:
    """Whether something is for `async for` or `async with`."""
    classes = file.resolver.classes
    return any(classes.member(value, name) is not None for name in ("__aiter__", "__aenter__"))


def _is_mode(file: File, value: ast.expr | None, scope: Scope) -> bool:
    """Whether what is returned is used in another way: a decorator, something for `async with`.

    Who calls a function that gives either has to know which it asks for.
    """
    members = members_of(file.resolver.type_of(value, scope)) if value else ()
    return bool(members) and all(
        isinstance(each, FunctionType)
        or (isinstance(each, Instance) and _is_used_otherwise(file, each))
        for each in members
    )


def _plain_result(file: File, node: FunctionNode, scope: Scope, returns: list[ast.Return]) -> str:
    """What a function returns besides an awaitable, in words; empty if there is nothing else."""
    if returns:
        what = "None" if _is_none(returns[0].value) else "a plain value"
        return f"{what} in line {returns[0].lineno}"
    if Paths(node.body, _Nothing(file, scope)).end is not None:
        return "nothing where it ends without `return`"
    return ""


def _answer(file: File, value: ast.expr | None, scope: Scope) -> Awaitability:
    """Whether something that is returned is an awaitable."""
    if value is None:
        return Awaitability(Certainty.NO)
    return file.resolver.awaitability(file.resolver.type_of(value, scope))


def _is_none(value: ast.expr | None) -> bool:
    return value is None or is_none(value)


_MAY_BE_AWAITABLE = (ast.Call, ast.Name, ast.Attribute, ast.Subscript, ast.IfExp, ast.BoolOp)


def screen(unit: Unit) -> bool:
    """Whether the unit returns anything."""
    return "return" in unit.text


RULE = Rule(
    code="LCX107",
    fixes="none",
    check=check,
    screen=screen,
)
