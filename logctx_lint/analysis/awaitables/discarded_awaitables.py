"""Calls whose awaitable result is discarded; LCX101 and LCX201 each report a part of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from logctx_lint.analysis.assertions import is_compared, is_expected_to_raise
from logctx_lint.analysis.awaitables.discarded_values import discarded, discarded_parts, thrown_away
from logctx_lint.analysis.awaitables.ownership import (
    hands_out_object,
    may_be_dropped,
    starts_careful_work,
)
from logctx_lint.analysis.context import (
    FunctionOrLambda,
    TreeContext,
    arguments,
    is_by_decorator,
    is_by_habit,
)
from logctx_lint.analysis.deferreds import observed_chains, pauses
from logctx_lint.analysis.possible_values import possible_values
from logctx_lint.analysis.run_time_checks import (
    is_asked_for,
    is_in_plain_mode,
    is_where_there,
)
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.annotation_types import special_form
from logctx_lint.inference.awaitable_objects import need_not_be_awaited
from logctx_lint.inference.calls import CHAINERS
from logctx_lint.inference.suspensions import awaited_calls
from logctx_lint.inference.types import (
    NONE,
    Awaitability,
    CallableType,
    Certainty,
    FunctionType,
    Instance,
    Kind,
    Type,
    TypeVariable,
    callees_of,
    members_of,
    type_variables,
    union_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import all_nodes, call_arguments, last_name

_BY_CUSTOM = frozenset({Role.DROPPABLE})
_DRIVEN_ELSEWHERE = frozenset(
    {
        Role.BACKGROUND_STARTER,
        Role.TASK_STARTER,
        Role.NURSERY_STARTER,
        Role.DROPPABLE,
        Role.FIRED,
    }
)
"""Roles of callees whose awaitable may be left alone, or is another rule's business."""
_CALLERS = frozenset({Role.THREAD_STARTER, Role.RESULT_TAKER, Role.CALLBACK_TAKER})
"""Call a function that they are given."""
_TAKEN_IN_TURN = frozenset(
    f"twisted.internet.defer.{name}"
    for name in ("DeferredLock.acquire", "DeferredSemaphore.acquire", "DeferredQueue.get")
)
"""Methods whose Deferred fires when it is the caller's turn, and never fails by itself."""
_WORTH_A_LOOK = frozenset({Certainty.YES, Certainty.LIKELY, Certainty.SOME})


class DropKind(Enum):
    """In which way an awaitable is dropped."""

    PLAIN = "plain"
    BY_HAND = "by hand"
    """Started by `ensureDeferred` or its kin."""
    CHAIN = "chain"
    """With callbacks added."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """One awaitable that nobody will await."""

    call: ast.Call
    """Whose result is dropped; of a chain of callbacks, the call that it begins with."""
    expression: ast.expr
    """All of the dropped expression: of a chain, the whole chain."""
    kind: Kind
    how: DropKind
    sees_failure: bool = False
    """A chain that has an errback, or work that cannot fail."""
    is_sure: bool = True
    """False where the callee gives None on other paths."""
    is_presumed: bool = False
    """The callee has a decorator that is not known, or is not known itself."""
    is_awaited: bool = False
    """It is what awaiting the call gives."""

    @property
    def verb(self) -> str:
        """What the callee does with it, for a message."""
        if self.is_awaited:
            return "gives, once it is awaited,"
        if self.is_presumed:
            return "very likely returns"
        return "returns" if self.is_sure else "may return"


def dropped_by(context: TreeContext) -> Iterator[tuple[ast.stmt, Dropped]]:
    """The awaitables that statements drop: `f()`, `_ = f()`, `a or f()`, `[f(x) for x in xs]`."""
    for statement, value, _ in thrown_away(context.unit):
        for found in dropped_in(context, value):
            yield statement, found


def dropped_in(context: TreeContext, node: ast.expr) -> Iterator[Dropped]:
    """The awaitables among the values of an expression whose own value is thrown away."""
    for call in discarded(node):
        found = as_dropped(context, call)
        if found:
            yield found
    if isinstance(node, ast.Await) and isinstance(node.value, ast.Call):
        answer = context.awaitability(node)
        # Whoever calls a function but does not await what that gives is another rule's business;
        # and what is given an awaitable may await it, whatever it declares to give for it.
        if (
            answer.is_certain
            and answer.kind.is_lazy
            and not context.roles(node.value) & _CALLERS
            and not any(context.awaitability(each).is_likely for each in call_arguments(node.value))
        ):
            yield Dropped(node.value, node, answer.kind, DropKind.PLAIN, is_awaited=True)


@dataclass(frozen=True, slots=True)
class _Beginning:
    """The call that a chain of callbacks begins with, or that stands alone."""

    root: ast.Call
    how: DropKind
    answer: Awaitability
    sees_failure: bool = False


def as_dropped(context: TreeContext, call: ast.Call) -> Dropped | None:
    """What is dropped with the result of a call; None if it may be, or is no awaitable."""
    if not context.is_placed(call) or not _gives_awaitable(context, call):
        return None
    begun = _beginning(context, call)
    if begun is None:
        return None
    root, how = begun.root, begun.how
    can_await = how is DropKind.PLAIN and context.is_asynchronous(context.function_of(call))
    is_presumed = _is_presumed(context.type_of(root))
    if is_presumed and not can_await:
        # A decorator that makes plain functions is used for calls from plain functions.
        return None
    if _is_looked_after(context, root, can_await=can_await):
        return None
    has_modes = _has_two_modes(context, root)
    # Which mode the caller is in, it knows; a plain function cannot be in the other.
    is_meant = has_modes or _TAKEN_IN_TURN & set(context.names(root))
    if is_meant and how is DropKind.PLAIN and not can_await:
        return None
    if not begun.answer.kind.is_lazy and context.in_sentinel_guard(call):
        return None
    may_give_else = context.file.summaries.may_give_else(context.type_of(call.func))
    is_sure = context.awaitability(call).is_likely and not may_give_else and not has_modes
    sees_failure = begun.sees_failure or observed_chains.cannot_fail(context, root)
    return Dropped(root, call, begun.answer.kind, how, sees_failure, is_sure, is_presumed)


def _is_presumed(type_: Type) -> bool:
    return is_by_decorator(type_) or is_by_habit(type_)


def _gives_awaitable(context: TreeContext, call: ast.Call) -> bool:
    """Whether a call gives an awaitable that somebody has to await."""
    answer, type_ = context.awaitability(call), context.type_of(call)
    if not answer.is_likely and not _is_one_way_out(context, call):
        return False
    if need_not_be_awaited(context.resolver, type_) or is_expected_to_raise(context, call):
        return False
    if is_asked_for(context.unit, call.func) or is_where_there(context.unit, call.func):
        return False
    if is_in_plain_mode(context, call):
        return False
    is_by_name = answer.certainty is Certainty.LIKELY and not is_by_decorator(type_)
    if is_by_name and _is_of_others(context, call):
        return False
    return not _may_give_value(context, call)


def _may_give_value(context: TreeContext, call: ast.Call) -> bool:
    """Whether what is called may be, or reach, something that gives no awaitable."""
    functions = context.functions(call.func)
    if any(map(context.resolver.functions.is_of_interface, functions)):
        return True
    if any(map(context.file.summaries.is_implemented_as_plain, functions)):
        return True
    callees = context.type_of(call.func)
    return (
        _is_ruled_out(context, call, callees)
        or _passes_on_name(context, call)
        or context.file.summaries.may_reach_plain(callees)
        or _is_registration(context, call)
        or _gives_back(context, callees)
        or _is_renamed(context, call)
        or is_compared(context, call, callees)
    )


def _beginning(context: TreeContext, call: ast.Call) -> _Beginning | None:
    """What a call begins with; None if nothing is lost with that."""
    root: ast.expr = call
    sees_failure = False
    while isinstance(root, ast.Call) and _is_chained(context, root):
        if not isinstance(root.func, ast.Attribute):
            return None
        sees_failure |= _takes_failures(root, root.func)
        root = root.func.value
    if not isinstance(root, ast.Call):
        # Callbacks are added to a Deferred that is kept somewhere.
        return None
    answer = context.awaitability(call)
    if root is call:
        is_by_hand = Role.HAND_STARTER in context.roles(root)
        return _Beginning(root, DropKind.BY_HAND if is_by_hand else DropKind.PLAIN, answer)
    begun = context.awaitability(root)
    if _is_constructor(context, root) or begun.certainty is Certainty.NO:
        return None
    if not context.file.traits.has_log_contexts and (
        sees_failure or observed_chains.of_dropped(context, call)
    ):
        return None
    # What callbacks are added to is a Deferred, wherever it comes from.
    answer = answer if begun.certainty is Certainty.UNKNOWN else begun
    return _Beginning(root, DropKind.CHAIN, answer, sees_failure)


def _is_chained(context: TreeContext, call: ast.Call) -> bool:
    """Whether a call adds callbacks to a Deferred, which it gives back.

    Nothing else has such methods, whatever is known of the receiver.
    """
    if Role.CHAINER in context.roles(call):
        return True
    is_named_so = isinstance(call.func, ast.Attribute) and call.func.attr in CHAINERS
    return is_named_so and not context.functions(call.func)


def _is_registration(context: TreeContext, call: ast.Call) -> bool:
    """`app.get("/")(handler)`: a decorator that gives back what it is applied to."""
    return isinstance(call.func, ast.Call) and any(
        isinstance(member, FunctionType | CallableType) or _can_be_called(context, member)
        for each in arguments(call)
        for member in members_of(context.type_of(each))
    )


def _can_be_called(context: TreeContext, type_: Type) -> bool:
    """Whether it is an object such as `functools.partial(f, x)`."""
    if not isinstance(type_, Instance):
        return False
    return context.resolver.classes.member(type_, "__call__") is not None


def _is_renamed(context: TreeContext, call: ast.Call) -> bool:
    """Whether a call says the type of something, as `cast(Future, x)` does, that others made."""
    scope = context.scopes[call]
    if len(call.args) != 2 or last_name(call.func) not in ("cast", "assert_type"):
        return False
    if special_form(context.resolver.names(call.func, scope)) != last_name(call.func):
        return False
    made = (each for value in possible_values(call) for each in awaited_calls(value, scope))
    return all("builtins.getattr" in context.names(each) for each in made)


def _gives_back(context: TreeContext, callees: Type) -> bool:
    """Whether all that functions give is what they have been given, of whatever type that is."""
    resolver = context.resolver
    plain = [
        resolver.functions.plain_result(each.function)
        for each in callees_of(callees)
        if each.function.facts.returns
    ]
    given = [member for each in plain for member in members_of(each)]
    return bool(given) and all(isinstance(each, TypeVariable) for each in given)


def _is_ruled_out(context: TreeContext, call: ast.Call, callees: Type) -> bool:
    """Whether a call gives no awaitable with these arguments."""
    functions = callees_of(callees)
    summaries = context.file.summaries
    if functions and not any(summaries.gives_awaitable(each, call) for each in functions):
        return True
    # `super().start()` is one method for sure; its body may give nothing, whatever it declares.
    match call.func:
        case ast.Attribute(ast.Call(ast.Name("super"))) if len(functions) == 1:
            function = functions[0].function
            is_plain = not function.facts.is_async and not function.facts.is_generator
            is_undecorated = context.resolver.functions.decorated(function) == FunctionType(
                function
            )
            is_abstract = context.resolver.functions.is_abstract(function)
            if is_plain and is_undecorated and not function.module.is_stub and not is_abstract:
                return not summaries.of(function).returned
    return False


def _passes_on_name(context: TreeContext, call: ast.Call) -> bool:
    """`self.assertFailure(d, E)`: what is dropped is `d`, which has a name."""
    return (
        Role.DEFERRED_PASSER in context.roles(call)
        and bool(call.args)
        and isinstance(call.args[0], ast.Name | ast.Attribute)
    )


def _is_of_others(context: TreeContext, call: ast.Call) -> bool:
    """Whether a method that is known by its name alone may well be another one of that name.

    So it is where a method of this name hands the call on, and where the object takes down what
    is called on it, to be awaited at the end.
    """
    if not isinstance(call.func, ast.Attribute):
        return False
    function = context.function_of(call)
    if isinstance(function, FunctionNode) and function.name == call.func.attr:
        return True
    return function is not None and _is_recorder(context, call.func.value, function)


def _is_recorder(context: TreeContext, receiver: ast.expr, function: FunctionOrLambda) -> bool:
    """`p = box.packet()`, `p.first()`, `p.second()`, `await p.send()`."""
    if not isinstance(receiver, ast.Name):
        return False
    dropped: set[str] = set()
    is_awaited = False
    for node in all_nodes(function):
        match node:
            case ast.Expr(ast.Call(ast.Attribute(ast.Name(name), method))) if name == receiver.id:
                dropped.add(method)
            case ast.Await(ast.Call(ast.Attribute(ast.Name(name)))) | ast.Yield(
                ast.Call(ast.Attribute(ast.Name(name)))
            ):
                is_awaited |= name == receiver.id
    return is_awaited and len(dropped) > 1


def _is_one_way_out(context: TreeContext, call: ast.Call) -> bool:
    """Whether a function of the project gives an awaitable on some paths, and None on others."""
    resolver = context.resolver
    functions = context.functions(call.func)
    # Of several functions, one may be what is called here and give none.
    if len(functions) != 1 or functions[0].module.is_stub:
        return False
    found = [member for member in members_of(context.type_of(call)) if member != NONE]
    return (
        context.awaitability(call).certainty is Certainty.SOME
        and all(resolver.awaitability(member).is_certain for member in found)
        # Not what somebody else has made and passed in.
        and not type_variables(resolver.functions.plain_result(functions[0]))
    )


def _takes_failures(call: ast.Call, method: ast.Attribute) -> bool:
    """Whether a link of a chain has an errback."""
    if method.attr == "addCallbacks":
        return len(arguments(call)) > 1
    return method.attr in ("addErrback", "addBoth")


def _is_looked_after(context: TreeContext, call: ast.Call, *, can_await: bool) -> bool:
    """Whether an awaitable may be left alone: it is driven elsewhere, or nothing can be lost."""
    if can_await and any(
        pauses.only_waits(context.file, each) for each in context.functions(call.func)
    ):
        return False
    if _starts_what_is_looked_after(context, call, can_await=can_await):
        return True
    if looks_after(context, call.func, can_await=can_await, call=call):
        return True
    if hands_out_object(context, call):
        return True
    if not context.file.traits.has_log_contexts and starts_careful_work(context, call):
        return True
    # What is lazy never runs, whether it can fail or not.
    if observed_chains.cannot_fail(context, call) and not context.awaitability(call).kind.is_lazy:
        # A service ends none the less, which whoever can should wait for.
        has_end = can_await and Role.NEVER_FAILS in context.roles(call)
        return not (has_end or context.file.traits.has_log_contexts)
    return _is_left_alone_by_all(context, call, can_await=can_await)


def _is_left_alone_by_all(context: TreeContext, call: ast.Call, *, can_await: bool) -> bool:
    """Whether each function that is known by the method's name only may be dropped."""
    presumed = [] if context.functions(call.func) else context.callees(call)
    callees = union_of(FunctionType(each) for each in presumed)
    return any(_plays_a_part(context, each) for each in presumed) or may_be_dropped(
        context, callees, can_await=can_await
    )


def _starts_what_is_looked_after(context: TreeContext, call: ast.Call, *, can_await: bool) -> bool:
    started = arguments(call)[:1] if Role.HAND_STARTER in context.roles(call) else []
    # `maybeDeferred(preserve_fn(f))` calls what the safe decorator has made of `f`.
    return any(
        isinstance(each, ast.Call)
        and (_is_made_safe(context, each) or _is_looked_after(context, each, can_await=can_await))
        for each in started
    )


def looks_after(
    context: TreeContext,
    func: ast.expr,
    *,
    can_await: bool = False,
    call: ast.Call | None = None,
) -> bool:
    """Whether what a function gives may be left alone, by its role or by what it does."""
    if isinstance(func, ast.Call):
        return _is_made_safe(context, func)
    functions = context.functions(func)
    if not functions and context.file.may_play(func, _BY_CUSTOM) and not context.names(func):
        # Of an object that is not known: it may well be the one whose Deferred is dropped.
        return True
    if context.roles(func) & _DRIVEN_ELSEWHERE or any(
        Role.SAFE_DECORATOR in context.decorator_roles(function) for function in functions
    ):
        return True
    callees = context.type_of(func)
    answer = context.resolver.awaitability(context.resolver.call_type(callees))
    return may_be_dropped(
        context,
        callees,
        can_await=can_await,
        is_lazy=answer.kind.is_lazy,
        call=call,
        scope=context.scopes[func],
    )


def _has_two_modes(context: TreeContext, call: ast.Call) -> bool:
    functions = context.functions(call.func)
    summaries = context.file.summaries
    return bool(functions) and all(summaries.of(each).has_two_modes for each in functions)


def _plays_a_part(context: TreeContext, function: Function) -> bool:
    roles = context.file.vocabulary.roles([function.qualified_name])
    is_safe = Role.SAFE_DECORATOR in context.decorator_roles(function)
    return is_safe or bool(roles & _DRIVEN_ELSEWHERE)


def _is_made_safe(context: TreeContext, func: ast.Call) -> bool:
    """`preserve_fn(f)`."""
    return Role.SAFE_DECORATOR in context.roles(func)


def _is_constructor(context: TreeContext, call: ast.Call) -> bool:
    """`Deferred().addCallback(...)`: nothing has been started."""
    return "twisted.internet.defer.Deferred" in context.names(call)


def screen(unit: Unit) -> bool:
    """Whether a statement of the unit drops the result of a call that gives an awaitable."""
    if screen not in unit.answers:
        unit.answers[screen] = any(
            _may_be_awaitable(unit, each, scope)
            for _, value, scope in thrown_away(unit)
            for each in (*discarded_parts(value), *_awaited(value))
        )
    return unit.answers[screen]


def _awaited(node: ast.expr) -> Iterator[ast.Await]:
    if isinstance(node, ast.Await) and isinstance(node.value, ast.Call):
        yield node


def _may_be_awaitable(unit: Unit, node: ast.expr, scope: Scope) -> bool:
    if isinstance(node, ast.Await):
        resolver = unit.file.resolver
        return resolver.awaitability(resolver.type_of(node, scope)).is_certain
    if not isinstance(node, ast.Call):
        return True
    if not unit.file.prefilter.may_give_awaitable(node, scope):
        return False
    resolver = unit.file.resolver
    return (
        resolver.awaitability(resolver.type_of(node, scope)).certainty in _WORTH_A_LOOK
        and not unit.file.roles(node.func, scope) & _DRIVEN_ELSEWHERE
    )
