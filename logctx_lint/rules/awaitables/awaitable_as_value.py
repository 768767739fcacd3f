"""An awaitable is used as if it were the value that awaiting it gives.

## Why

A coroutine is always true, so an async predicate used as a condition is an access check that
always passes. It equals nothing, is found in nothing, and shows up in logs as
`<coroutine object ...>`; a Deferred or a task does the same. Other uses fail, but only when that
line is reached.

## Bad

```python
class Auth:
    async def is_admin(self, user: str) -> bool: ...


async def delete_room(auth: Auth, user: str) -> None:
    if not auth.is_admin(user):
        raise PermissionError(user)
```

```python
async def count_rooms() -> int: ...


async def report() -> None:
    rooms = count_rooms()
    print(f"{rooms} rooms")
```

## Good

```python
class Auth:
    async def is_admin(self, user: str) -> bool: ...


async def delete_room(auth: Auth, user: str) -> None:
    if not await auth.is_admin(user):
        raise PermissionError(user)
```

```python
async def count_rooms() -> int: ...


async def report() -> None:
    rooms = await count_rooms()
    print(f"{rooms} rooms")
```

What may be None can be tested for truth, and Deferreds and tasks can be compared with each other
and looked for in a set of them:

```python
from typing import Optional, Set

from twisted.internet.defer import Deferred


def start() -> "Optional[Deferred[None]]": ...


async def run(waiting: "Set[Deferred[None]]") -> None:
    work = start()
    if work and work not in waiting:
        await work
```

## Fix

`await` is unsafe: the condition then says what was meant, which changes what the code does.

## Use instead

`await`; where the work shall go on meanwhile, `logctx_lint.runtime.run_in_background` and an
`await` of what that gives.
"""

from __future__ import annotations

import ast
import re
from types import CoroutineType

from logctx_lint.analysis.cst_context import RuleContext
from logctx_lint.analysis.expected_types import function_scope
from logctx_lint.analysis.units import Unit
from logctx_lint.analysis.value_uses import How, Use, uses
from logctx_lint.analysis.values_in_place import misplaced
from logctx_lint.findings import Applicability, Fix
from logctx_lint.fixes.edits import after, before
from logctx_lint.inference.awaitable_objects import need_not_be_awaited
from logctx_lint.inference.types import (
    UNKNOWN,
    Certainty,
    ClassObject,
    Instance,
    Kind,
    Presumed,
    TupleType,
    Type,
    members_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.rules.rule import Rule, RuleVisitor
from logctx_lint.syntax.ast_walk import all_nodes
from logctx_lint.syntax.cst_walk import all_code
from logctx_lint.syntax.lazy_libcst import cst

_NEEDED: dict[How, tuple[str, ...]] = {
    How.TRUTH: ("__bool__", "__len__"),
    How.EQUALITY: ("__eq__",),
    How.ORDER: ("__lt__", "__gt__"),
    How.MEMBER: ("__eq__",),
    How.CONTAINER: ("__contains__",),
    How.ARITHMETIC: ("__add__", "__sub__", "__mul__", "__mod__", "__or__", "__and__"),
    How.TEXT: ("__str__", "__repr__"),
    How.NUMBER: ("__int__", "__float__", "__index__"),
    How.LENGTH: ("__len__",),
    How.ITERATION: ("__next__",),
    How.ASYNC_ITERATION: ("__aiter__",),
    How.MAPPING: ("keys",),
    How.ITEM: ("__getitem__",),
    How.ATTRIBUTE: ("__getattr__", "__getattribute__"),
    How.CALL: ("__call__",),
    How.ENTER: ("__enter__",),
    How.ASYNC_ENTER: ("__aenter__",),
}
"""Methods with which a class of one's own, awaitable besides, allows a use."""
_OF_SOME_FUTURE = frozenset(dir(object)) | {
    "__await__", "__class_getitem__", "__del__", "__iter__", "_asyncio_future_blocking",
    "_callbacks", "_cancel_message", "_coro", "_exception", "_fut_waiter", "_log_destroy_pending",
    "_log_traceback", "_loop", "_make_cancelled_error", "_must_cancel", "_repr_info", "_result",
    "_source_traceback", "_state", "add_done_callback", "cancel", "cancelled", "cancelling", "done",
    "exception", "get_context", "get_coro", "get_loop", "get_name", "get_stack", "print_stack",
    "remove_done_callback", "result", "set_exception", "set_name", "set_result", "uncancel",
}  # fmt: skip
"""All that a task has in any Python. (To import asyncio takes longer than to check most files.)"""
_OF_SOME_DEFERRED = frozenset(
    {"called", "paused", "callbacks", "callback", "errback", "addCallback", "addCallbacks",
     "addErrback", "addBoth", "addTimeout", "chainDeferred", "asFuture", "debug", "pause",
     "unpause", "cancel", "result"}
)  # fmt: skip
_OWN_ATTRIBUTES = {
    Kind.COROUTINE: frozenset(dir(CoroutineType)),
    Kind.DEFERRED: _OF_SOME_DEFERRED,
    Kind.FUTURE: _OF_SOME_FUTURE,
    Kind.TASK: _OF_SOME_FUTURE,
    Kind.AWAITABLE: frozenset(dir(CoroutineType)) | _OF_SOME_FUTURE | _OF_SOME_DEFERRED,
}
_MAY_BE_MEANT = frozenset({How.ASYNC_ITERATION, How.ASYNC_ENTER, How.CALL, How.RAISE})
"""Uses for which what is only presumed to be a coroutine may be something else."""
_KNOWN_HOMES = ("typing", "types", "builtins", "asyncio", "twisted.internet.defer")


_OPERATOR = re.compile(r"__[ir]?(add|sub|or|and|xor|lshift|rshift|matmul|mul|truediv|mod)__")
_OF_EVERY_OBJECT = frozenset(dir(object))


class AwaitableAsValue(RuleVisitor):
    def __init__(self, context: RuleContext) -> None:
        super().__init__(context)
        unit = context.unit
        self._uses: dict[ast.expr, tuple[Use, Kind]] = {}
        self._in_text: dict[str, tuple[Use, Kind]] = {}
        for use in uses(unit):
            kind = wrongly_used(use, unit)
            if kind is not None:
                self._uses.setdefault(use.node, (use, kind))
                if use.how is How.TEXT:
                    self._in_text[ast.unparse(use.node)] = use, kind
        for each in misplaced(unit):
            use = Use(each.call, each.scope, How.DECLARED, fate=each.fate)
            self._uses.setdefault(each.call, (use, each.kind))

    def visit_Call(self, node: cst.Call) -> None:
        self._check(node)

    def visit_Name(self, node: cst.Name) -> None:
        self._check(node)

    def visit_Attribute(self, node: cst.Attribute) -> None:
        self._check(node)

    def _check(self, node: cst.Call | cst.Name | cst.Attribute) -> None:
        if not self._uses:
            return
        tree = self.context.expression(node)
        found = self._uses.get(tree[0]) if tree else self._formatted(node)
        if found:
            self._report(node, *found)

    def _formatted(self, node: cst.Call | cst.Name | cst.Attribute) -> tuple[Use, Kind] | None:
        """The same in an f-string, where trees have no positions before Python 3.12."""
        if not isinstance(self.context.parent(node), cst.FormattedStringExpression):
            return None
        found = self._in_text.get(ast.unparse(ast.parse(self.context.text(node), mode="eval")))
        if found and isinstance(node, cst.Call) and isinstance(found[0].node, ast.Call):
            self.context.remember(node.func, found[0].node.func, found[0].scope)
        return found

    def _report(self, node: cst.Call | cst.Name | cst.Attribute, use: Use, kind: Kind) -> None:
        what = kind.with_article
        fate = use.fate or use.how.value
        if use.attribute:
            fate = f"asked for `{use.attribute}`, which it does not have"
        if isinstance(node, cst.Call):
            callee = self.context.callee(node)
            verb = "returns" if self._is_certain(use) else "very likely returns"
            is_ = f"{callee.label} {verb} {what} ({callee.reason}) that"
        elif isinstance(node, cst.Attribute):
            is_ = f"`{self.context.line(node)}`, a property that is an `async def`, is {what} that"
        else:
            is_ = f"`{node.value}` is {what} that"
        function = self.context.function_of(node)
        cure = "yield it" if self.context.awaits_by_yield(function) else "await it"
        self.context.report(RULE.code, node, f"{is_} is {fate}: {cure}", self._fixes(node, use))

    def _is_certain(self, use: Use) -> bool:
        resolver = self.context.resolver
        return resolver.awaitability(resolver.type_of(use.node, use.scope)).is_certain

    def _fixes(self, node: cst.Call | cst.Name | cst.Attribute, use: Use) -> tuple[Fix, ...]:
        call = self._made(node, use) if isinstance(node, cst.Name) else node
        if not isinstance(call, cst.Call):
            return ()
        function = self.context.function_of(call)
        by_yield = self.context.awaits_by_yield(function)
        if not self.context.is_asynchronous(function) or not self._can_await(call, by_yield):
            return ()
        word = "yield" if by_yield else "await"
        if self._needs_parentheses(call, by_yield=by_yield):
            edits = [before(self.context, call, f"({word} "), after(self.context, call, ")")]
        else:
            edits = [before(self.context, call, f"{word} ")]
        return (Fix(f"{word.capitalize()} it", Applicability.UNSAFE, tuple(edits)),)

    def _needs_parentheses(self, call: cst.Call, *, by_yield: bool) -> bool:
        """Whether the expression around a call would otherwise be awaited with it."""
        parent = self.context.parent(call)
        if by_yield:
            return not isinstance(parent, cst.Assign | cst.AnnAssign) and not call.lpar
        is_called = isinstance(parent, cst.Call) and parent.func is call
        # Its parentheses, if it has any, stay outside the edit.
        return (isinstance(parent, cst.Attribute | cst.Subscript) or is_called) and not call.lpar

    def _can_await(self, node: cst.CSTNode, by_yield: bool) -> bool:
        """Whether the comprehensions around a node let it be awaited, and stay what they are."""
        around = []
        for outer in self.context.around(node):
            if isinstance(outer, cst.FunctionDef):
                break
            if isinstance(outer, cst.BaseComp):
                around.append(outer)
        # A generator would become an asynchronous one; none can yield; and before Python 3.11
        # an asynchronous comprehension cannot stand in another.
        is_lazy = any(isinstance(each, cst.GeneratorExp) for each in around)
        return not around or not (by_yield or is_lazy or len(around) > 1)

    def _made(self, node: cst.Name, use: Use) -> cst.Call | None:
        """The one call that a name is bound to, if nothing but its value is ever asked for."""
        bindings = use.scope.bindings.get(node.value, [])
        function = self.context.function_of(node)
        if len(bindings) != 1 or bindings[0].path or not isinstance(function, cst.FunctionDef):
            return None
        scope = use.scope.node
        loads = [
            each
            for each in (all_nodes(scope) if scope else ())
            if isinstance(each, ast.Name)
            and each.id == node.value
            and isinstance(each.ctx, ast.Load)
        ]
        value = bindings[0].value
        if not isinstance(value, ast.Call) or not self._uses.keys() >= set(loads):
            return None
        calls = (each for each in all_code(function) if isinstance(each, cst.Call))
        return next((call for call in calls if self._is(call, value)), None)

    def _is(self, node: cst.Call, tree: ast.expr) -> bool:
        found = self.context.expression(node)
        return found is not None and found[0] is tree


def wrongly_used(use: Use, unit: Unit) -> Kind | None:
    """The kind of awaitable that is used as a value; None if it is none, or may be used so."""
    node = use.node
    resolver = unit.file.resolver
    type_ = resolver.type_of(node, use.scope)
    if isinstance(type_, Presumed):
        # By the name of a method, or under a decorator that is not known.
        kind = resolver.awaitability(type_).kind
        return kind if kind is Kind.COROUTINE and use.how not in _MAY_BE_MEANT else None
    members = members_of(type_)
    # With an unknown member, or None, it may be that.
    if not all(isinstance(member, Instance) for member in members):
        return None
    answer = resolver.awaitability(type_)
    if not answer.is_certain or _allows(type_, answer.kind, use, unit):
        return None
    for call in _calls_behind(node, use.scope):
        if unit.file.summaries.may_give_else(resolver.type_of(call.func, use.scope)):
            return None
    if need_not_be_awaited(resolver, type_, is_used=True) or _other_side_takes_it(use, unit):
        return None
    if isinstance(node, ast.Name) and (
        _is_asked_for(unit, node.id)
        or (use.how in _OF_DECLARED and _is_declared(use, node.id))
        or (_tests_for_none(use, unit) and _is_awaited_too(unit, use, node.id, answer.kind))
    ):
        return None
    if answer.kind is not Kind.COROUTINE and _is_ordinary(use, unit):
        return None
    return answer.kind


def _other_side_takes_it(use: Use, unit: Unit) -> bool:
    """`jobs += create_task(f())`, where `jobs` is an object that says what that means."""
    if use.how is not How.ARITHMETIC or use.other is None:
        return False
    resolver = unit.file.resolver
    other = resolver.type_of(use.other, use.scope)
    if other == UNKNOWN and use.is_of_collection:
        return True
    for member in members_of(other):
        if isinstance(member, Instance) and not member.cls.module.is_stub:
            names = (
                name
                for base, _ in resolver.classes.ancestors(member.cls)
                for name in base.facts.functions
            )
            if any(_OPERATOR.fullmatch(name) for name in names):
                return True
    return False


def _is_asked_for(unit: Unit, name: str) -> bool:
    """Whether code looks at run time whether the name holds an awaitable, or has an attribute."""
    for call, scope in unit.nodes(ast.Call):
        match call:
            case ast.Call(ast.Name("hasattr"), [ast.Name(asked), _]) if asked == name:
                return True
            case ast.Call(ast.Name("isinstance"), [ast.Name(asked), classes]) if asked == name:
                given = unit.file.resolver.type_of(classes, scope)
                options = given.elements if isinstance(given, TupleType) else (given,)
                instances = [
                    Instance(each.cls) for each in options if isinstance(each, ClassObject)
                ]
                if any(unit.file.resolver.awaitability(each).is_certain for each in instances):
                    return True
            case ast.Call(func, [ast.Name(asked)]) if asked == name:
                if unit.file.summaries.asks_whether_awaitable(func, scope):
                    return True
    return False


_OF_DECLARED = frozenset({How.TEXT, How.IDENTITY})


def _is_declared(use: Use, name: str) -> bool:
    """Whether a parameter is declared to be awaitable: whoever shows it knows what it is."""
    bindings = use.scope.bindings.get(name, [])
    return bool(bindings) and all(each.kind == "parameter" for each in bindings)


def _is_async(scope: Scope) -> bool:
    return scope.function is not None and scope.function.facts.is_async


def _calls_behind(node: ast.expr, scope: Scope) -> list[ast.Call]:
    """The call that a value is, or those that a local name is bound to."""
    match node:
        case ast.Call():
            return [node]
        case ast.Name(name):
            bindings = scope.reaching(name, (node.lineno, node.col_offset))
            values = [each.value for each in bindings if not each.path]
            return [each for each in values if isinstance(each, ast.Call)]
    return []


def _tests_for_none(use: Use, unit: Unit) -> bool:
    """`assert task`, `coro is not None`."""
    if use.how is How.TRUTH:
        return any(node.test is use.node for node, _ in unit.nodes(ast.Assert))
    is_none = isinstance(use.other, ast.Constant) and use.other.value is None
    return use.how is How.IDENTITY and is_none


def _is_awaited_too(unit: Unit, use: Use, name: str, kind: Kind) -> bool:
    """Whether the same name is elsewhere used as the awaitable that it is: the test is for None."""
    own = _OWN_ATTRIBUTES[kind] - _OF_EVERY_OBJECT
    nodes: list[tuple[ast.AST, Scope]] = [*unit.nodes(ast.Await), *unit.nodes(ast.Attribute)]
    nodes += [each for each in unit.nodes(ast.Return) if not _is_async(each[1])]
    for node, scope in nodes:
        match node:
            case ast.Await(ast.Name(found)) | ast.Return(ast.Name(found)):
                pass
            case ast.Attribute(ast.Name(found), attribute) if attribute in own:
                pass
            case _:
                continue
        if found == name and function_scope(scope) is function_scope(use.scope):
            return True
    return False


def _allows(type_: Type, kind: Kind, use: Use, unit: Unit) -> bool:
    """Whether a class of one's own, which is awaitable besides, can be used in this way."""
    classes = unit.file.resolver.classes
    if use.attribute and has_attribute(unit, kind, use.attribute):
        return True
    names = (*_NEEDED.get(use.how, ()), *([use.attribute] if use.attribute else ()))
    for member in members_of(type_):
        if not isinstance(member, Instance):
            continue
        if classes.unknown_bases(member.cls) and kind is not Kind.COROUTINE:
            return True
        if use.attribute and classes.member(member, use.attribute) is not None:
            return True
        for ancestor, _ in classes.ancestors(member.cls):
            if not ancestor.module.name.startswith(_KNOWN_HOMES) and any(
                ancestor.function(name) for name in names
            ):
                return True
        if kind is Kind.AWAITABLE and not member.cls.module.is_stub:
            # An object of its own, which can be shown and, if it says how, looped over.
            shown = use.how is How.TEXT
            looped = use.how is How.ITERATION and classes.member(member, "__iter__") is not None
            return shown or looped
    return False


def has_attribute(unit: Unit, kind: Kind, name: str) -> bool:
    """Whether an awaitable of this kind has an attribute, or may have been given it."""
    if name.startswith("_") or name in _OWN_ATTRIBUTES[kind]:
        return True
    return kind is not Kind.COROUTINE and _gives_attribute(name, unit)


def _gives_attribute(name: str, unit: Unit) -> bool:
    """Whether this file sets such an attribute: a task or Deferred takes any."""
    return re.search(rf"\.{name}\b[^=\n]*=(?!=)", unit.file.source.text) is not None


def _is_ordinary(use: Use, unit: Unit) -> bool:
    """What is done with a Deferred or task itself: compared by identity, kept in sets, shown."""
    resolver = unit.file.resolver
    if use.how is How.IDENTITY:
        return True
    if use.how is How.TEXT:
        return isinstance(use.node, ast.Name)
    if use.how in (How.EQUALITY, How.MEMBER) and use.other is not None:
        if use.how is How.EQUALITY:
            found = resolver.awaitability(resolver.type_of(use.other, use.scope))
            return found.certainty is not Certainty.NO
        elements = getattr(use.other, "elts", None)
        return not elements or not all(isinstance(each, ast.Constant) for each in elements)
    return False


def screen(unit: Unit) -> bool:
    return any(wrongly_used(use, unit) is not None for use in uses(unit)) or any(
        True for _ in misplaced(unit)
    )


RULE = Rule(
    code="LCX103",
    fixes="`await` (unsafe)",
    visitor=AwaitableAsValue,
    screen=screen,
)
