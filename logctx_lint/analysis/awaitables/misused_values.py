"""Which uses of an awaitable as if it were its result are certainly wrong.

Awaitables are ordinary objects, too: a Deferred is kept in a set, compared by identity, asked for
`called`; a class of one's own may define what a use needs. Only what its kind does not allow is
wrong.
"""

from __future__ import annotations

import ast
import re
from types import CoroutineType

from logctx_lint.analysis.awaitables.expected_types import function_scope
from logctx_lint.analysis.awaitables.value_uses import Usage, Use
from logctx_lint.analysis.run_time_checks import is_asked_for
from logctx_lint.analysis.units import Unit
from logctx_lint.inference.awaitable_objects import need_not_be_awaited
from logctx_lint.inference.awaited_elsewhere import is_inlined
from logctx_lint.inference.narrowing import LEAVING
from logctx_lint.inference.types import (
    UNKNOWN,
    Certainty,
    FunctionType,
    Instance,
    Kind,
    Presumed,
    Type,
    members_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.syntax.ast_walk import all_nodes, is_none, last_name

_NEEDED: dict[Usage, tuple[str, ...]] = {
    Usage.TRUTH: ("__bool__", "__len__"),
    Usage.EQUALITY: ("__eq__",),
    Usage.ORDER: ("__lt__", "__gt__"),
    Usage.MEMBER: ("__eq__",),
    Usage.CONTAINER: ("__contains__",),
    Usage.ARITHMETIC: ("__add__", "__sub__", "__mul__", "__mod__", "__or__", "__and__"),
    Usage.TEXT: ("__str__", "__repr__"),
    Usage.NUMBER: ("__int__", "__float__", "__index__"),
    Usage.LENGTH: ("__len__",),
    Usage.ITERATION: ("__next__",),
    Usage.ASYNC_ITERATION: ("__aiter__",),
    Usage.MAPPING: ("keys",),
    Usage.ITEM: ("__getitem__", "__setitem__", "__delitem__"),
    Usage.ATTRIBUTE: ("__getattr__", "__getattribute__"),
    Usage.CALL: ("__call__",),
    Usage.ENTER: ("__enter__",),
    Usage.ASYNC_ENTER: ("__aenter__",),
    Usage.DRIVEN: ("close", "send", "throw"),
}
"""Methods with which a class of one's own, awaitable besides, allows a use."""
_ANY_OF: dict[Usage, tuple[str, ...]] = {
    Usage.ITERATION: ("__iter__", "__getitem__"),
    Usage.LENGTH: ("__len__",),
    Usage.ITEM: ("__getitem__", "__class_getitem__"),
    Usage.CONTAINER: ("__contains__", "__iter__", "__getitem__"),
}
"""Uses for which an object must have one of these methods, whatever its class is."""
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
OF_COROUTINES = frozenset(dir(CoroutineType))
_OWN_ATTRIBUTES = {
    Kind.COROUTINE: OF_COROUTINES,
    Kind.DEFERRED: _OF_SOME_DEFERRED,
    Kind.FUTURE: _OF_SOME_FUTURE,
    Kind.TASK: _OF_SOME_FUTURE,
    Kind.AWAITABLE: OF_COROUTINES | _OF_SOME_FUTURE | _OF_SOME_DEFERRED,
}
_MAY_BE_MEANT = frozenset({Usage.ASYNC_ITERATION, Usage.ASYNC_ENTER, Usage.CALL, Usage.RAISE})
"""Uses for which what is only presumed to be a coroutine may be something else."""
_OF_PROTOCOLS = frozenset(
    {"__enter__", "__exit__", "__aenter__", "__aexit__", "__aiter__", "__anext__"}
)
"""Who enters by hand what is no manager knows that some class or decorator makes it one."""
_KNOWN_HOMES = ("typing", "types", "builtins", "asyncio", "twisted.internet.defer")


_OPERATOR = re.compile(r"__[ir]?(add|sub|or|and|xor|lshift|rshift|matmul|mul|truediv|mod)__")
_OF_EVERY_OBJECT = frozenset(dir(object))


def wrongly_used(use: Use, unit: Unit) -> Kind | None:
    """The kind of awaitable that is used as a value; None if it is none, or may be used so."""
    if use.attribute in _OF_PROTOCOLS:
        return None
    resolver = unit.file.resolver
    type_ = resolver.type_of(use.node, use.scope)
    if isinstance(type_, Presumed):
        kind = presumed_kind(unit, type_)
        is_wrong = kind is not None and _is_wrong_if_presumed(use, kind, unit)
    else:
        answer = resolver.awaitability(type_)
        kind = answer.kind
        is_wrong = answer.is_certain and _is_wrong_if_certain(use, type_, kind, unit)
    if isinstance(use.node, ast.Name) and is_wrong and kind is not None:
        is_wrong = not _is_known_to_wait(use.node.id, kind, use, unit)
    if isinstance(use.node, ast.Call) and is_wrong:
        is_wrong = not is_asked_for(unit, use.node.func)
    return kind if is_wrong else None


def _is_wrong_if_presumed(use: Use, kind: Kind, unit: Unit) -> bool:
    if use.how in _MAY_BE_MEANT:
        return False
    if not kind.is_lazy and (_is_ordinary(use, unit) or _is_asked(use, kind, unit)):
        return False
    return not isinstance(use.node, ast.Name) or may_hold_presumed(
        use.scope, _calls_behind(use.node, function_scope(use.scope))
    )


def _is_wrong_if_certain(use: Use, type_: Type, kind: Kind, unit: Unit) -> bool:
    resolver = unit.file.resolver
    is_open = UNKNOWN in members_of(type_) and _is_of_open_receiver(use.node, use.scope, unit)
    # Of the objects that are known to be there, all have an asynchronous method.
    if is_open and not _is_wrong_if_presumed(use, kind, unit):
        return False
    # With an unknown member, or None, it may be that.
    others = [member for member in members_of(type_) if not isinstance(member, Instance)]
    if any(member != UNKNOWN or not is_open for member in others):
        return False
    if _allows(type_, kind, use, unit) or _other_side_takes_it(use, unit):
        return False
    if _may_give_else(use, unit):
        return False
    if need_not_be_awaited(resolver, type_, is_used=True) and not _lacks_method(use, type_, unit):
        return False
    if use.how is Usage.CALL and _may_be_function(use, kind):
        return False
    return kind is Kind.COROUTINE or not _is_ordinary(use, unit)


def _may_give_else(use: Use, unit: Unit) -> bool:
    """Whether one of the calls that the value comes from may give something else, too."""
    return any(
        unit.file.summaries.may_give_else(unit.file.resolver.type_of(call.func, use.scope))
        for call in _calls_behind(use.node, use.scope)
    )


def _may_be_function(use: Use, kind: Kind) -> bool:
    """Whether what is called may be a function that gives an awaitable, though declared as that.

    `-> Awaitable` is said of such functions, `list[Coroutine]` of what callbacks are kept in.
    """
    is_declared = isinstance(use.node, ast.Name) and not _calls_behind(use.node, use.scope)
    return kind is Kind.AWAITABLE or is_declared


def _is_of_open_receiver(node: ast.expr, scope: Scope, unit: Unit) -> bool:
    """Whether a method is called of which only the known receivers are known to have it.

    So it is of a parameter that some callers give a `Client`, and others are not seen.
    """
    calls = _calls_behind(node, scope)
    return (
        bool(calls)
        and not unit.file.module.is_test
        and all(
            isinstance(call.func, ast.Attribute)
            and UNKNOWN in members_of(unit.file.resolver.type_of(call.func.value, scope))
            and all(
                each == UNKNOWN or (isinstance(each, FunctionType) and each.function.facts.is_async)
                for each in members_of(unit.file.resolver.type_of(call.func, scope))
            )
            for call in calls
        )
    )


def _lacks_method(use: Use, type_: Type, unit: Unit) -> bool:
    """Whether an object of the project has not the method by which it could be used so."""
    classes = unit.file.resolver.classes
    methods = _ANY_OF.get(use.how, ())
    return bool(methods) and all(
        isinstance(member, Instance)
        and not classes.unknown_bases(member.cls)
        and all(classes.member(member, name) is None for name in methods)
        for member in members_of(type_)
    )


def presumed_kind(unit: Unit, type_: Presumed) -> Kind | None:
    """What is very likely given, by the name of a method or under a decorator that is not known.

    None where that may be something else: a double in a test, or what others call so, too.
    """
    if unit.file.module.is_test and not type_.by_decorator:
        return None
    kind = unit.file.resolver.awaitability(type_).kind
    return kind if kind.is_lazy or kind is Kind.DEFERRED or type_.by_habit else None


def may_hold_presumed(scope: Scope, calls: list[ast.Call]) -> bool:
    """Whether a local name that calls are bound to very likely holds what is presumed of them.

    In a plain function, and in one that is called as the method is, the object is rather another.
    """
    function = function_scope(scope).function
    return (
        function is not None
        and (function.facts.is_async or is_inlined(function.facts))
        and not any(last_name(call.func) == function.name for call in calls)
    )


def _is_known_to_wait(name: str, kind: Kind, use: Use, unit: Unit) -> bool:
    """Whether the code around shows that it knows what the name holds."""
    return (
        is_asked_for(unit, use.node)
        or (use.how in _OF_DECLARED and _is_declared(use, name))
        or (_tests_for_none(use, unit) and _is_awaited_too(unit, use, name, kind))
        or _guards(use, name, kind, unit)
    )


def _other_side_takes_it(use: Use, unit: Unit) -> bool:
    """`jobs += create_task(f())`, where `jobs` is an object that says what that means."""
    if use.how is not Usage.ARITHMETIC or use.other is None:
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


_OF_DECLARED = frozenset({Usage.TEXT, Usage.IDENTITY})


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
        case ast.Name():
            bindings = scope.reaching_name(node)
            values = [each.value for each in bindings if not each.path]
            return [each for each in values if isinstance(each, ast.Call)]
    return []


def _tests_for_none(use: Use, unit: Unit) -> bool:
    """`assert task`, `coro is not None`."""
    if use.how is Usage.TRUTH:
        return any(node.test is use.node for node, _ in unit.nodes(ast.Assert))
    return use.how is Usage.IDENTITY and is_none(use.other)


def _guards(use: Use, name: str, kind: Kind, unit: Unit) -> bool:
    """`task and not task.done()`, `if task: task.cancel()`: whether there is one is asked.

    So it is in `if not d: return`, where `d` gets callbacks behind that. A bare truth test of a
    coroutine is rather one of the value that it would give.
    """
    if use.how is not Usage.TRUTH or kind.is_lazy:
        return False
    own = _OWN_ATTRIBUTES[kind] - _OF_EVERY_OBJECT
    for guard, _ in unit.nodes(ast.If):
        match guard.test:
            case ast.UnaryOp(ast.Not(), operand) if operand is use.node:
                leaves = isinstance(guard.body[-1], LEAVING)
                return leaves and _is_awaited_too(unit, use, name, kind)
    for choice in (ast.If, ast.IfExp, ast.While, ast.BoolOp):
        for node, _ in unit.nodes(choice):
            tested = getattr(node, "values", None) or [getattr(node, "test", None)]
            if use.node in tested and any(_takes(each, name, own) for each in all_nodes(node)):
                return True
    return False


def _is_awaited_too(unit: Unit, use: Use, name: str, kind: Kind) -> bool:
    """Whether the same name is elsewhere used as the awaitable that it is: the test is for None."""
    own = _OWN_ATTRIBUTES[kind] - _OF_EVERY_OBJECT
    nodes: list[tuple[ast.AST, Scope]] = [*unit.nodes(ast.Await), *unit.nodes(ast.Attribute)]
    nodes += [each for each in unit.nodes(ast.Return) if not _is_async(each[1])]
    return any(
        _takes(node, name, own) and function_scope(scope) is function_scope(use.scope)
        for node, scope in nodes
    )


def _takes(node: ast.AST, name: str, attributes: frozenset[str]) -> bool:
    """Whether a node awaits or returns what the name holds, or asks for one of the attributes."""
    match node:
        case ast.Await(ast.Name(found)) | ast.Return(ast.Name(found)):
            return found == name
        case ast.Attribute(ast.Name(found), attribute):
            return found == name and attribute in attributes
    return False


def _allows(type_: Type, kind: Kind, use: Use, unit: Unit) -> bool:
    """Whether a class of one's own, which is awaitable besides, can be used in this way."""
    if use.attribute and has_attribute(unit, kind, use.attribute):
        return True
    classes = [each for each in members_of(type_) if isinstance(each, Instance)]
    return any(_has_what_is_used(each, kind, use, unit) for each in classes)


def _has_what_is_used(member: Instance, kind: Kind, use: Use, unit: Unit) -> bool:
    classes = unit.file.resolver.classes
    if classes.unknown_bases(member.cls) and kind is not Kind.COROUTINE:
        return True
    if use.attribute and classes.member(member, use.attribute) is not None:
        return True
    names = (*_NEEDED.get(use.how, ()), *([use.attribute] if use.attribute else ()))
    own = (
        e for e, _ in classes.ancestors(member.cls) if not e.module.name.startswith(_KNOWN_HOMES)
    )
    if any(ancestor.function(name) for ancestor in own for name in names):
        return True
    # An object of its own can be shown and, if it says how, looped over.
    is_own = kind is Kind.AWAITABLE and not member.cls.module.is_stub
    is_looped_over = use.how is Usage.ITERATION and classes.member(member, "__iter__") is not None
    return is_own and (use.how is Usage.TEXT or is_looped_over)


def has_attribute(unit: Unit, kind: Kind, name: str) -> bool:
    """Whether an awaitable of this kind has an attribute, or may have been given it."""
    if name in _OWN_ATTRIBUTES[kind]:
        return True
    # A task or Deferred takes any, and may have others that only it asks for.
    return kind is not Kind.COROUTINE and (name.startswith("_") or name in unit.file.set_attributes)


def _is_asked(use: Use, kind: Kind, unit: Unit) -> bool:
    """Whether an awaitable is asked for what it has, or whether there is one."""
    is_own = bool(use.attribute) and has_attribute(unit, kind, use.attribute)
    return is_own or use.how is Usage.TRUTH


def _is_ordinary(use: Use, unit: Unit) -> bool:
    """What is done with a Deferred or task itself: compared by identity, a key, in sets, shown."""
    resolver = unit.file.resolver
    if use.how in (Usage.IDENTITY, Usage.INDEX, Usage.DRIVEN):
        return True
    if use.how is Usage.TEXT:
        return isinstance(use.node, ast.Name)
    if use.how in (Usage.EQUALITY, Usage.MEMBER) and use.other is not None:
        if use.how is Usage.EQUALITY:
            found = resolver.awaitability(resolver.type_of(use.other, use.scope))
            return found.certainty is not Certainty.NO
        elements = getattr(use.other, "elts", None)
        return not elements or not all(isinstance(each, ast.Constant) for each in elements)
    return False
