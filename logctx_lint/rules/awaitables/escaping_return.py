"""An awaitable is returned un-awaited from where its end was meant to be seen.

## Why

`return f()` hands the awaitable out before it has run. A handler or a `finally` around it is left
by then: it never sees the failure, and cleans up too early. A log context, a measurement or a
tracing span is closed before the work begins, so that it is charged to nobody. And in an
`async def` the caller's `await` gets an awaitable where it expects the value.

A plain decorator around an `async def` does the same for every call: its handlers, its `with`, its
`finally` and its clock see how the coroutine is made, not how it runs. `contextlib`'s context
managers do so as decorators, too, before Python 3.15.

## Bad

```python
async def fetch(name: str) -> str: ...


async def fetch_or_nothing(name: str):
    try:
        return fetch(name)
    except OSError:
        return None
```

```python
from typing import Awaitable

from logctx_lint.runtime import LoggingContext


async def fetch(name: str) -> str: ...


def handle(name: str) -> Awaitable[str]:
    with LoggingContext("handle"):
        return fetch(name)
```

```python
async def count() -> int: ...


async def twice(flag: bool) -> int:
    return count() if flag else 0
```

```python
import functools
import time


def timed(function):
    @functools.wraps(function)
    def wrapper(*args):
        start = time.monotonic()
        result = function(*args)
        print(time.monotonic() - start)
        return result

    return wrapper


@timed
async def load(name: str) -> str: ...
```

## Good

```python
async def fetch(name: str) -> str: ...


async def fetch_or_nothing(name: str):
    try:
        return await fetch(name)
    except OSError:
        return None
```

What has nothing around it may be handed on by a plain function:

```python
from typing import Awaitable


async def fetch(name: str) -> str: ...


def handle(name: str) -> Awaitable[str]:
    return fetch(name.lower())
```

## Fix

`return await` is unsafe: handlers that never ran before then do. None in a plain function, which
must become an `async def` first, and none for a decorator.

## Settings

`vocabulary` adds the project's own `context-manager`, `measurement`, `tracing-span` and `clock`
names.

## Use instead

`await`; where the work shall go on by itself, `logctx_lint.runtime.run_in_background`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from logctx_lint.analysis.awaitables.decorator_blocks import BLOCKS, closing_decorators
from logctx_lint.analysis.awaitables.expected_types import declared_result, refuses
from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.log_contexts.log_contexts import plays
from logctx_lint.analysis.possible_values import possible_values
from logctx_lint.analysis.run_time_checks import is_asked_for
from logctx_lint.analysis.units import File, Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Fix, Profile
from logctx_lint.fixes.edits import await_fix
from logctx_lint.inference.known_names import RETURN_VALUE
from logctx_lint.inference.types import (
    Certainty,
    ClassObject,
    FunctionType,
    Kind,
    Type,
    members_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.rules.rule import Rule
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    assignments,
    body_nodes,
    child_blocks,
    is_name,
    own_nodes,
    returned_values,
)
from logctx_lint.syntax.excerpts import one_line

_SUPPRESSORS = frozenset({Role.SUPPRESSOR})
_RUNS_BY_ITSELF = frozenset(
    {Role.BACKGROUND_STARTER, Role.TASK_STARTER, Role.FIRED, Role.LOOP_RUNNER}
)
_GIVING_ATTRIBUTES = frozenset({"__getattr__", "__getattribute__", "__get__"})
"""Methods by which Python reads an attribute: what `x.name` gives is a coroutine, if any."""
_Block = ast.With | ast.AsyncWith | ast.Try


@dataclass(frozen=True, slots=True)
class _Around:
    """A block that a `return` leaves, and with that what it was meant to do for the awaitable."""

    node: _Block
    loss: str
    """In words."""
    is_handler: bool = False
    is_any: bool = False
    """Nothing is known of it but that it has ended: only work that has not begun needs it."""


@dataclass(frozen=True, slots=True)
class _Escape:
    value: ast.expr
    """What is returned."""
    kind: Kind
    loss: str
    is_sure: bool = True
    """Or its function may be one that hands out awaitables, for callers that await twice."""


def check(context: TreeContext) -> None:
    for escape in {each.value: each for each in _escapes(context.unit)}.values():
        if context.is_placed(escape.value):
            _report(context, escape)
    for each in closing_decorators(context.unit):
        end = "begins" if each.kind.is_lazy else "ends"
        context.report(
            RULE.code,
            each.decorator,
            f"`@{ast.unparse(each.decorator)}` {each.left} before the {each.kind.value} that "
            f"`{each.function.name}()` returns {end}: await it inside",
        )


def _report(context: TreeContext, escape: _Escape) -> None:
    node = escape.value
    what = f"`{context.text(node)}` is {escape.kind.with_article}"
    callee = context.callee(node) if isinstance(node, ast.Call) else None
    if callee:
        what = f"{callee.label} returns {escape.kind.with_article} ({callee.reason})"
    function = context.function_of(node)
    cure, fixes = "await it, in an `async def`", tuple[Fix, ...]()
    if context.is_asynchronous(function):
        by_yield = context.awaits_by_yield(function)
        cure = "yield it first" if by_yield else "`return await`"
        fixes = await_fix(context, node, by_yield=by_yield)
    message = f"{what} that is returned un-awaited, {escape.loss}: {cure}"
    profile = Profile.RECOMMENDED if escape.is_sure else Profile.STRICT
    context.report(RULE.code, node, message, fixes, profile=profile, callee=callee)


class _Returns:
    """The awaitables that one function returns out of a block, or in place of a value."""

    def __init__(self, unit: Unit, scope: Scope, *, is_async: bool, by_yield: bool) -> None:
        self._unit = unit
        self._file = unit.file
        self._scope = scope
        self._by_yield = by_yield
        self._is_async = is_async
        self._can_await = is_async or by_yield

    # Most functions return nothing that these are asked of.

    @cached_property
    def _must_give_value(self) -> bool:
        return self._can_await and refuses(self._unit, self._declared)

    @cached_property
    def _may_give_awaitable(self) -> bool:
        if not self._is_async or self._by_yield:
            return False
        answer = self._file.resolver.awaitability(self._declared)
        return answer.certainty in (Certainty.YES, Certainty.SOME)

    @property
    def _says_nothing(self) -> bool:
        """Whether nothing is declared: that may be awaited twice on purpose, as the file shows."""
        function = self._scope.function
        says_nothing = self._is_async and function is not None and not function.facts.returns
        return says_nothing and not self._file.awaits_twice

    @cached_property
    def _declared(self) -> Type:
        return declared_result(self._unit, self._scope)

    def of(self, body: list[ast.stmt], around: tuple[_Around, ...] = ()) -> Iterator[_Escape]:
        for statement in body:
            returned = self._returned(statement)
            if returned:
                for value in _values(returned):
                    yield from self._escaping(value, around)
            elif isinstance(statement, ast.With | ast.AsyncWith):
                yield from self.of(statement.body, (*around, *self._opened(statement)))
            elif isinstance(statement, ast.Try) or type(statement).__name__ == "TryStar":
                yield from self._try(statement, around)  # type: ignore[arg-type]
            elif not isinstance(statement, FunctionNode | ast.ClassDef):
                for block in child_blocks(statement):
                    yield from self.of(block, around)

    def _returned(self, statement: ast.stmt) -> ast.expr | None:
        """What a statement returns, `returnValue(x)` among them."""
        match statement:
            case ast.Return(value):
                return value
            case ast.Expr(ast.Call(func, [value], [])) if self._by_yield:
                names = self._file.resolver.names(func, self._scope)
                return value if RETURN_VALUE in names else None
        return None

    def _try(self, node: ast.Try, around: tuple[_Around, ...]) -> Iterator[_Escape]:
        cleaned = around
        if node.finalbody and not _is_by_flag(node):
            loss = f"so that the `finally` of line {node.finalbody[0].lineno} runs too early"
            cleaned = (*around, _Around(node, loss))
        handled = cleaned
        if node.handlers:
            loss = f"so that the handler of line {node.handlers[0].lineno} never sees its failure"
            handled = (*cleaned, _Around(node, loss, is_handler=True))
        yield from self.of(node.body, handled)
        for block in (*(handler.body for handler in node.handlers), node.orelse):
            yield from self.of(block, cleaned)
        yield from self.of(node.finalbody, around)

    def _opened(self, node: ast.With | ast.AsyncWith) -> Iterator[_Around]:
        for item in node.items:
            text = one_line(item.context_expr)
            word = "async with" if isinstance(node, ast.AsyncWith) else "with"
            loss = f"so that `{word} {text}` (line {node.lineno}) closes too early"
            if plays(self._file, item.context_expr, self._scope, BLOCKS):
                yield _Around(node, loss)
            elif plays(self._file, item.context_expr, self._scope, _SUPPRESSORS):
                loss = f"so that `{word} {text}` (line {node.lineno}) never sees its failure"
                yield _Around(node, loss, is_handler=True)
            elif self._can_await or isinstance(item.context_expr, ast.Call):
                yield _Around(node, loss, is_any=True)

    def _stands_in_place(self, value: ast.Call | ast.Name, call: ast.Call) -> bool:
        """Whether the caller wants what awaiting a returned value would give."""
        must_be_value = isinstance(value, ast.Call) and self._must_give_value
        return self._by_yield or must_be_value or self._hands_out_coroutine(value, call)

    def _escaping(
        self, value: ast.Call | ast.Name, around: tuple[_Around, ...]
    ) -> Iterator[_Escape]:
        call = value if isinstance(value, ast.Call) else self._made(value)
        if call is None or call not in self._unit.possible_awaitables:
            return
        in_place = self._stands_in_place(value, call)
        if (not around and not in_place) or self._may_give_awaitable:
            return
        if self._is_awaited_otherwise(value, call):
            return
        answer = self._file.resolver.awaitability(self._file.resolver.type_of(value, self._scope))
        if not answer.is_certain or self._runs_by_itself(call):
            return
        losses = [
            each.loss
            for each in around
            if (answer.kind.is_lazy or not each.is_any) and self._loses(each, value, call)
        ]
        if losses:
            yield _Escape(value, answer.kind, losses[-1])
        elif in_place:
            loss = "so that its caller gets it in place of its value"
            is_sure = self._by_yield or self._must_give_value or self._gives_values_else(value)
            yield _Escape(value, answer.kind, loss, is_sure)

    def _is_awaited_otherwise(self, value: ast.Call | ast.Name, call: ast.Call) -> bool:
        """Whether something else asks what it is, or awaits it, or another rule reports it."""
        if isinstance(value, ast.Name) and (
            self._is_reported_by_name(value) or self._is_awaited_elsewhere(value)
        ):
            return True
        return is_asked_for(self._unit, call.func)

    def _gives_values_else(self, value: ast.expr) -> bool:
        """Whether whatever else the function returns is surely no awaitable."""
        resolver, node = self._file.resolver, self._scope.node
        others = returned_values(node) if isinstance(node, FunctionNode) else ()
        return all(
            resolver.awaitability(resolver.type_of(each, self._scope)).certainty is Certainty.NO
            or isinstance(each, ast.Await)
            for returned in others
            for each in possible_values(returned)
            if each is not value
        )

    def _hands_out_coroutine(self, value: ast.Call | ast.Name, call: ast.Call) -> bool:
        """Whether the call of an `async def` is returned where nothing says of what type.

        So it is by a name that is for nothing else.
        """
        if not self._says_nothing:
            return False
        if isinstance(value, ast.Name) and not self._is_only_returned(value.id):
            return False
        callees = members_of(self._file.resolver.type_of(call.func, self._scope))
        return all(
            isinstance(each, FunctionType)
            and each.function.facts.is_async
            and not each.function.facts.is_generator
            and not each.function.facts.decorators
            for each in callees
        )

    def _is_only_returned(self, name: str) -> bool:
        nodes = list(all_nodes(self._scope.node)) if self._scope.node else []
        returned = {each.value for each in nodes if isinstance(each, ast.Return)}
        return all(
            each in returned
            for each in nodes
            if is_name(each, name) and isinstance(each.ctx, ast.Load)
        )

    def _is_reported_by_name(self, name: ast.Name) -> bool:
        """Whether LCX102 reports a local name, or no rule does, as something asks what it holds."""
        return self._must_give_value or is_asked_for(self._unit, name)

    def _is_awaited_elsewhere(self, name: ast.Name) -> bool:
        """Whether the function awaits the same awaitable on another way, so that it knows what it
        hands out: `if self.is_lazy: return work`, `await work`."""
        nodes = body_nodes(self._scope.node) if isinstance(self._scope.node, FunctionNode) else ()
        returned = self._scope.reaching_name(name)
        return any(
            isinstance(each, ast.Await)
            and is_name(each.value, name.id)
            and self._scope.reaching_name(each.value) == returned
            for each in nodes
        )

    def _made(self, name: ast.Name) -> ast.Call | None:
        """The call that a local name is bound to, whatever happened before."""
        bindings = self._scope.reaching_name(name)
        values = [each.value for each in bindings if each.kind == "value" and not each.path]
        call = values[0] if len(bindings) == len(values) == 1 else None
        return call if isinstance(call, ast.Call) else None

    def _runs_by_itself(self, call: ast.Call) -> bool:
        roles = self._file.roles(call.func, self._scope)
        if self._by_yield and Role.FIRED in roles:
            return False  # Its caller gets the Deferred for a result, fired or not.
        if roles & _RUNS_BY_ITSELF:
            return True
        return isinstance(self._file.resolver.type_of(call.func, self._scope), ClassObject)

    def _loses(self, around: _Around, value: ast.expr, call: ast.Call) -> bool:
        """Whether a block was meant to be there while the awaitable runs."""
        if not around.node.lineno <= call.lineno <= (around.node.end_lineno or 0):
            return False  # Made before.
        if around.is_any and not self._can_await:
            return self._fails_later_only(call, around.node) and not _reads_entered(around.node)
        if not around.is_handler:
            return True
        if Role.CHAINER in self._file.roles(call.func, self._scope):
            return False  # It has errbacks of its own.
        return self._can_await or self._fails_later_only(call, around.node)

    def _fails_later_only(self, call: ast.Call, block: _Block) -> bool:
        """Whether nothing in a block can fail at once, so that its handlers are for the work."""
        callees = members_of(self._file.resolver.type_of(call.func, self._scope))
        starts_nothing = all(
            isinstance(each, FunctionType) and each.function.facts.is_async for each in callees
        )
        inside = (inner for statement in block.body for inner in all_nodes(statement))
        return starts_nothing and not any(
            isinstance(inner, ast.Call | ast.Subscript | ast.Raise) and inner is not call
            for inner in inside
        )


def _reads_entered(block: _Block) -> bool:
    """Whether a `with` takes something out of what it has entered, which may need it no longer."""
    entered = {
        each.id
        for item in getattr(block, "items", ())
        if item.optional_vars
        for each in all_nodes(item.optional_vars, ast.Name)
    }
    return any(
        isinstance(each, ast.Attribute)
        and isinstance(each.value, ast.Name)
        and each.value.id in entered
        for statement in block.body
        for each in all_nodes(statement)
    )


def _values(node: ast.expr) -> Iterator[ast.Call | ast.Name]:
    """The calls and names that the value of an expression may be that of."""
    for value in possible_values(node):
        if isinstance(value, ast.Call | ast.Name):
            yield value


def _escapes(unit: Unit) -> Iterator[_Escape]:
    for node, scope in unit.scopes.items() if unit.possible_awaitables else ():
        function = scope.function
        if function is None or not isinstance(node, FunctionNode):
            continue
        if node.name in _GIVING_ATTRIBUTES:
            continue
        by_yield = function.facts.is_generator and _is_inline(unit.file, node, scope)
        if by_yield or not function.facts.is_generator:
            is_async = function.facts.is_async
            yield from _Returns(unit, scope, is_async=is_async, by_yield=by_yield).of(node.body)


def _is_inline(file: File, node: FunctionNode, scope: Scope) -> bool:
    outer = scope.parent or Scope(scope.module)
    roles = frozenset({Role.INLINE_CALLBACKS})
    return any(
        file.may_play(each, roles) and bool(file.roles(each, outer) & roles)
        for each in node.decorator_list
    )


def _is_by_flag(node: ast.Try) -> bool:
    """Whether the `try` says to its `finally` what to do: `if not is_handed_out: span.end()`."""
    match node.finalbody:
        case [ast.If(test, _, [])]:
            flags = {each.id for each in own_nodes([test], ast.Name)}
        case _:
            return False
    return any(
        isinstance(target, ast.Name) and target.id in flags and isinstance(value, ast.Constant)
        for target, value in assignments(own_nodes(node.body))
    )


RULE = Rule(
    code="LCX109",
    fixes="`return await` (unsafe)",
    check=check,
)
