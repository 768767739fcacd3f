"""Arguments that are callbacks: which functions a call hands over, and whether they are awaited."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from logctx_lint.analysis.awaitables.kept_callbacks import is_told_apart
from logctx_lint.analysis.called_code import Code, code_of
from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.units import File
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference import annotation_types
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.class_members import enclosing_scope, signature_scope
from logctx_lint.inference.implementations import implementations
from logctx_lint.inference.passed_arguments import open_parameters, pairs
from logctx_lint.inference.types import (
    NONE,
    Awaitability,
    CallableType,
    Certainty,
    ClassObject,
    FunctionType,
    Instance,
    Kind,
    Type,
    TypeVariable,
    Unknown,
    callees_of,
    members_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import Parameter
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, call_arguments, is_name, last_name

IGNORING = frozenset({Role.CALLBACK_TAKER, Role.RESULT_TAKER, Role.THREAD_STARTER})
"""Call a function and do not look at a coroutine that it gives."""
IN_THREADS = frozenset({Role.THREAD_STARTER, Role.BARE_THREAD_STARTER})
"""Call a function in a thread, where no event loop runs that could start anything."""
WAITING = frozenset({Role.BACKGROUND_STARTER, Role.HAND_STARTER, Role.DRIVER})
"""Call a function and see to what it gives."""
_STARTERS = frozenset({Role.BACKGROUND_STARTER})
DRIVING = frozenset(
    {Role.TASK_STARTER, Role.HAND_STARTER, Role.LOOP_RUNNER, Role.FORWARDING_GATHERER}
)
"""See to it that the awaitable runs that they are given."""
_PARTIAL = "functools.partial"
_LONGEST_DETOUR = 1
"""How many helpers may hand a function on."""


@dataclass(frozen=True)
class Taken:
    """An argument that the callee will call."""

    node: ast.expr
    call: ast.Call
    scope: Scope
    declared: tuple[CallableType, ...] = ()
    """As what the callee's signatures declare it."""
    passes_arguments: bool = False
    """What follows it in the call is handed on to it, and more could be added at the end."""
    passes_keywords: frozenset[str] | None = None
    """The keywords that are the callee's own, if it hands on all others."""


def taken(file: File, call: ast.Call, scope: Scope) -> list[Taken]:
    """The functions that a call hands over, as the callee's signatures say; else by what they are.

    An argument is listed whatever its value, if its parameter is meant for a function.
    """
    found: dict[ast.expr, Taken] = {}
    callees = list(signatures(file, call, scope))
    if len(callees) > 1:
        # Of overloads those that the call can mean.
        callees = [each for each in callees if not _contradicts(file, call, scope, each[1])]
    for callee, parameters in callees:
        for each in _declared(file, call, scope, callee, parameters):
            known = found.get(each.node, each)
            found[each.node] = replace(each, declared=(*known.declared, *each.declared))
    return list(found.values()) or _undeclared(file, call, scope, callees)


def _undeclared(
    file: File, call: ast.Call, scope: Scope, callees: list[tuple[FunctionType, list[Parameter]]]
) -> list[Taken]:
    """The function that a call hands over, where no signature says that one is wanted."""
    function = next((each for each in call_arguments(call) if is_function(file, each, scope)), None)
    for callee, parameters in callees:
        for parameter, argument in pairs(call, parameters):
            # `start(f, *args)`, without annotations.
            is_bare = not parameter.annotation and _is_before_rest(parameter, parameters)
            if argument is function or (function is None and is_bare):
                return [_taken(call, scope, callee, parameters, parameter, argument)]
    return [Taken(function, call, scope)] if function else []


_MOST_HANDS = 2
"""Through how many hands a function is followed to who awaits what it gives."""
_PLAIN = frozenset({"str", "bytes", "int", "float", "bool"})
"""Annotations that no function fits."""


def _contradicts(file: File, call: ast.Call, scope: Scope, parameters: list[Parameter]) -> bool:
    """Whether a function is given where a signature wants text or a number."""
    return any(
        parameter.annotation in _PLAIN and is_function(file, argument, scope)
        for parameter, argument in pairs(call, parameters)
    )


def is_function(file: File, node: ast.expr, scope: Scope) -> bool:
    """Whether the value of an expression is known to be there to be called."""
    members = members_of(file.resolver.type_of(node, scope))
    return all(
        isinstance(member, FunctionType | CallableType)
        or (isinstance(member, Instance) and member.cls.qualified_name == _PARTIAL)
        for member in members
    )


def target(context: TreeContext, function: ast.expr) -> ast.expr:
    """What is called in the end: `f` of `f`, of `lambda: f(x)` and of `partial(f, x)`."""
    match function:
        case ast.Lambda(body=ast.Call(func=func)):
            return func
        case ast.Call(args=[first, *_]) if is_partial(context, function):
            return target(context, first)
    return function


def call_made_of(taker: ast.Call, function: ast.expr) -> ast.Call:
    """The call that is made of an argument and what stands behind it: `call_soon(f, x)`."""
    return ast.Call(function, taker.args[taker.args.index(function) + 1 :], [])


def is_partial(context: TreeContext, function: ast.expr) -> bool:
    """Whether a call is one of `functools.partial`."""
    return isinstance(function, ast.Call) and _PARTIAL in context.names(function)


def ignored_kind(file: File, argument: Taken, roles: frozenset[Role]) -> Kind | None:
    """The kind of awaitable that a function gives and its caller does nothing with."""
    if roles & WAITING:
        return None
    ignores = Role.CALLBACK_TAKER in roles or (
        bool(argument.declared) and all(each.returns == NONE for each in argument.declared)
    )
    if not ignores and roles.isdisjoint(IGNORING):
        return None
    answer = given_by(file, argument)
    if not answer.is_certain or not (ignores or answer.kind.is_lazy):
        return None
    if Role.CALLBACK_TAKER not in roles and is_awaited_by_callee(file, argument):
        return None
    # A clock of the project may itself start what it calls.
    return None if calls_inside(file, argument, _STARTERS) else answer.kind


def given_by(file: File, argument: Taken) -> Awaitability:
    """Whether a function that is handed over gives an awaitable."""
    resolver = file.resolver
    function = resolver.type_of(argument.node, argument.scope)
    given = resolver.call_type(function)
    is_value = any(not isinstance(each, FunctionType) for each in members_of(function))
    if is_value and any(isinstance(each, Unknown | TypeVariable) for each in members_of(given)):
        # Code that is handed a `Callable[..., Coroutine[Any, Any, R] | R]` may look which it is.
        return Awaitability(Certainty.UNKNOWN)
    return resolver.awaitability(given)


def is_awaited_by_callee(file: File, argument: Taken) -> bool:
    """Whether the callee awaits what a function gives, although it is declared to give None.

    Where it hands the function to another one, that may: `loop.call_soon(stop_in_order, f)`. So
    may what stands in for a method that is only there to be overridden.
    """
    for callee, parameters in signatures(file, argument.call, argument.scope):
        for parameter, value in pairs(argument.call, parameters):
            if value is argument.node and any(
                _may_await(file, each, parameter.name)
                for each in implementations(file.resolver, callee.function)
            ):
                return True
    return False


def _may_await(file: File, function: Function, name: str) -> bool:
    return (
        _is_left_to_others(file, function)
        or _awaits(file, function, name)
        or _hands_to_function(file, function, name)
        or is_told_apart(function.implementation, name)
    )


def _is_left_to_others(file: File, function: Function) -> bool:
    """Whether a method is abstract by its decorator."""
    scope = enclosing_scope(function)
    return any(
        "abc.abstractmethod" in file.resolver.names_of_text(each, scope)
        for each in function.facts.decorators
    )


def may_be_awaitable(file: File, argument: Taken) -> bool:
    """Whether the callee takes an awaitable in place of the function, whatever is declared.

    It asks (`if iscoroutine(target):`), or awaits the parameter itself.
    """
    return any(
        value is argument.node and _looks_at(file, callee.function, parameter.name)
        for callee, parameters in signatures(file, argument.call, argument.scope)
        for parameter, value in pairs(argument.call, parameters)
    )


def _looks_at(file: File, function: Function, name: str) -> bool:
    node = function.implementation.source_tree()
    if node is None:
        return False
    scope = Scope.of_body(function.implementation, node)
    for each in all_nodes(node):
        match each:
            case ast.Await(ast.Name(asked)) if asked == name:
                return True
            case ast.Call(ast.Name("isinstance"), [ast.Name(asked), _]) if asked == name:
                return True
            case ast.Call(func, [ast.Name(asked), *_]) if asked == name:
                if file.summaries.asks_whether_awaitable(func, scope):
                    return True
    return False


def _hands_to_function(file: File, function: Function, name: str) -> bool:
    """Whether a parameter is an argument that follows a function in some call."""
    node = function.implementation.source_tree()
    if node is None:
        return False
    scope = Scope.of_body(function.implementation, node)
    for call in all_nodes(node, ast.Call):
        given = call_arguments(call)
        for before, each in itertools.pairwise(given):
            is_named = is_name(each, name)
            if is_named and is_function(file, before, scope):
                return True
    return False


def _awaits(file: File, function: Function, name: str, depth: int = _MOST_HANDS) -> bool:
    """Whether a parameter, or the attribute that it is put into, has a part in an `await`.

    So it is where a task is started for it: `ensure_future(self._callback(event))`, and where it
    is handed on to what does so: `self._handler = Handler(self._callback)`.
    """
    node = function.implementation.source_tree()
    if node is None:
        return False
    attributes = _attributes_set_to(node, name)
    awaited = _parts_of_awaits(file, node)
    if any(is_name(each, name) for each in awaited):
        return True
    methods = function.owner.methods() if attributes and function.owner else []
    awaited += [part for each in methods for part in _parts_of_awaits(file, each.tree())]
    if any(isinstance(each, ast.Attribute) and each.attr in attributes for each in awaited):
        return True
    return depth > 0 and (
        _hands_on(file, function, {name}, depth)
        or any(_hands_on(file, each, attributes, depth) for each in methods)
    )


def _hands_on(file: File, function: Function, names: Collection[str], depth: int) -> bool:
    """Whether a function hands a parameter or attribute on to what awaits it."""
    node = function.implementation.source_tree()
    if node is None:
        return False
    scope = Scope.of_body(function.implementation, node)
    return any(
        _awaits(file, callee.function, parameter.name, depth - 1)
        for call in body_nodes(node, ast.Call)
        if any(last_name(each) in names for each in call_arguments(call))
        for callee, parameters in signatures(file, call, scope)
        for parameter, value in pairs(call, parameters)
        if last_name(value) in names
    )


def _attributes_set_to(node: ast.AST, name: str) -> set[str]:
    """The attributes that are set to what a name holds."""
    return {
        target.attr
        for each in all_nodes(node, ast.Assign)
        if isinstance(each.value, ast.Name)
        for target in each.targets
        if isinstance(target, ast.Attribute) and each.value.id == name
    }


def _parts_of_awaits(file: File, node: ast.AST | None) -> list[ast.AST]:
    """The nodes inside of what is awaited, or given to a function that drives it."""
    inside = all_nodes(node) if node else ()
    return [part for each in inside if _is_driven(file, each) for part in all_nodes(each)]


def _is_driven(file: File, node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return file.may_play(node.func, DRIVING)
    return isinstance(node, ast.Await)


def calls_inside(file: File, argument: Taken, wanted: frozenset[Role]) -> bool:
    """Whether the callee, or a helper that it hands its arguments to, calls something of a role."""
    return any(
        body_calls(file, callee.function, wanted, _LONGEST_DETOUR)
        for callee, _ in signatures(file, argument.call, argument.scope)
    )


def body_calls(file: File, function: Function, wanted: frozenset[Role], detour: int = 0) -> bool:
    """As `calls_inside`, of one function."""
    function = function.implementation
    node = function.source_tree()
    if node is None:
        return False
    scope = Scope.of_body(function, node)
    calls = list(all_nodes(node, ast.Call))
    own = {parameter.name for parameter in function.facts.parameters}
    return any(
        file.may_play(call.func, wanted) and not file.roles(call.func, scope).isdisjoint(wanted)
        for call in calls
    ) or any(
        body_calls(file, member.function, wanted, detour - 1)
        for call in calls
        if detour and any(isinstance(each, ast.Name) and each.id in own for each in call.args)
        for member in callees_of(file.resolver.type_of(call.func, scope))
    )


def signatures(
    file: File, call: ast.Call, scope: Scope
) -> Iterator[tuple[FunctionType, list[Parameter]]]:
    """Each function that the call may reach, with the parameters that its arguments fill."""
    resolver = file.resolver
    for member in members_of(resolver.type_of(call.func, scope)):
        callee: Type | None = member
        if isinstance(member, ClassObject):
            callee = resolver.classes.member(Instance(member.cls), "__init__")
        for each in members_of(callee) if callee else ():
            if isinstance(each, FunctionType):
                yield each, open_parameters(resolver, each)


def _declared(
    file: File,
    call: ast.Call,
    scope: Scope,
    callee: FunctionType,
    parameters: list[Parameter],
) -> Iterator[Taken]:
    for parameter, argument in pairs(call, parameters):
        declared = annotation_types.evaluate(
            file.resolver, parse_expression(parameter.annotation), signature_scope(callee.function)
        )
        callables = [each for each in members_of(declared) if isinstance(each, CallableType)]
        takes_awaitables = file.resolver.awaitability(declared).certainty is not Certainty.NO
        if callables and not takes_awaitables:
            yield _taken(call, scope, callee, parameters, parameter, argument, tuple(callables))


def _is_before_rest(parameter: Parameter, parameters: list[Parameter]) -> bool:
    following = parameters[parameters.index(parameter) + 1 :][:1]
    return any(each.kind == "*" for each in following)


def _taken(
    call: ast.Call,
    scope: Scope,
    callee: FunctionType,
    parameters: list[Parameter],
    parameter: Parameter,
    argument: ast.expr,
    declared: tuple[CallableType, ...] = (),
) -> Taken:
    passes = argument in call.args and _is_before_rest(parameter, parameters)
    keywords = any(each.kind == "**" for each in parameters)
    own = frozenset(each.name for each in callee.function.facts.parameters)
    return Taken(argument, call, scope, declared, passes, own if passes and keywords else None)


def is_called_by(
    file: File, call: ast.Call, argument: ast.expr, scope: Scope, callers: frozenset[Role]
) -> bool:
    """Whether a call hands an argument to something of these roles, directly or through a helper.

        def in_pool(self, function, *args):
            return deferToThreadPool(self.reactor, self.pool, function, *args)

    `self.in_pool(compress)` is as good as `deferToThreadPool(..., compress)`.
    """
    if _takes(file, call, scope, callers):
        return any(each.node is argument for each in taken(file, call, scope))
    for callee, parameters in signatures(file, call, scope):
        names = {
            parameter.name for parameter, given in pairs(call, parameters) if given is argument
        }
        code = code_of(callee.function) if names else None
        if code is not None and _hands_over(file, code, names, callers):
            return True
    return False


def _hands_over(file: File, code: Code, names: set[str], callers: frozenset[Role]) -> bool:
    """Whether some code hands one of its local names to something of these roles."""
    return any(
        isinstance(each.node, ast.Name) and each.node.id in names
        for node in code.nodes
        if isinstance(node, ast.Call) and _takes(file, node, code.scope, callers)
        for each in taken(file, node, code.scope)
    )


def _takes(file: File, call: ast.Call, scope: Scope, callers: frozenset[Role]) -> bool:
    return file.may_play(call.func, callers) and bool(file.roles(call.func, scope) & callers)
