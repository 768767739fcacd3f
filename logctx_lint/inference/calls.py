"""The type of a call: results, type variables solved from arguments, decorators."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from logctx_lint.inference import (
    annotation_types,
    awaited_elsewhere,
    awaited_results,
    overloads,
)
from logctx_lint.inference.annotation_types import parse_expression, special_form
from logctx_lint.inference.arguments import NO_ARGUMENTS, Arguments, arguments_of, pair
from logctx_lint.inference.class_members import enclosing_scope, signature_scope
from logctx_lint.inference.decorators import is_external
from logctx_lint.inference.known_names import KIND_TEST_NAMES, TRANSPARENT
from logctx_lint.inference.types import (
    FOREIGN,
    FOREIGN_OPTION,
    NONE,
    UNKNOWN,
    CallableType,
    Certainty,
    ClassObject,
    External,
    ExternalInstance,
    FunctionType,
    Instance,
    Kind,
    Type,
    TypeVariable,
    UnionType,
    erase,
    known,
    members_of,
    substitute,
    type_variables,
    union_of,
)
from logctx_lint.inference.unification import match, parameter_variable
from logctx_lint.syntax.ast_walk import all_nodes, is_name, last_name

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver
    from logctx_lint.inference.use_def import Scope
    from logctx_lint.project.modules import Class, Function

CHAINERS = frozenset({"addCallback", "addCallbacks", "addErrback", "addBoth"})
"""Methods by which a Deferred is known, wherever it comes from."""


def result(resolver: Resolver, node: ast.Call, scope: Scope) -> Type:
    """The type of a call expression."""
    special = _special(resolver, node, scope)
    if special is not None:
        return special
    callee = resolver.type_of(node.func, scope)
    if callee is UNKNOWN:
        if isinstance(node.func, ast.Attribute) and node.func.attr in CHAINERS:
            # Nothing but a Deferred has such methods; they give it back.
            return resolver.deferred
        found = resolver.unique_methods.result(node.func, scope)
    else:
        found = call(resolver, callee, arguments_of(resolver, node, scope))
    if found not in (UNKNOWN, FOREIGN):
        return found
    presumed = awaited_elsewhere.result(resolver, node.func, scope)
    if presumed == UNKNOWN or any(map(resolver.functions.starts_work, members_of(callee))):
        return found
    return presumed


def _special(resolver: Resolver, node: ast.Call, scope: Scope) -> Type | None:
    """Calls that mean more than their signature says."""
    if not isinstance(node.func, ast.Name | ast.Attribute) or not node.args:
        if is_name(node.func, "super"):
            return resolver.bindings.self_type(scope)
        return None
    last = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
    if last in ("cast", "assert_type"):
        if special_form(resolver.names(node.func, scope)) == last:
            target = node.args[0] if last == "cast" else node.args[1]
            return annotation_types.evaluate(resolver, target, scope)
    elif last == "type" and "builtins.type" in resolver.names(node.func, scope):
        instance = resolver.type_of(node.args[0], scope)
        if isinstance(instance, Instance):
            return ClassObject(instance.cls, instance.arguments)
    elif last == "getattr" and "builtins.getattr" in resolver.names(node.func, scope):
        match node.args:
            case [receiver, ast.Constant(str(name)), *_]:
                return union_of([resolver.member(resolver.type_of(receiver, scope), name), UNKNOWN])
    return None


def call(resolver: Resolver, callee: Type, arguments: Arguments) -> Type:
    """What calling a value of type `callee` gives."""
    match callee:
        case UnionType(members):
            meant = overloads.meant(resolver, members, arguments)
            return _call_one_of(resolver, [each for each in meant if each != NONE], arguments)
        case CallableType():
            return _call_callable(resolver, callee, arguments)
        case FunctionType():
            return _call_function(resolver, callee, arguments)
        case ClassObject():
            return _construct(resolver, callee, arguments)
        case Instance():
            method = resolver.classes.member(callee, "__call__")
            return UNKNOWN if method is None else call(resolver, method, arguments)
        case TypeVariable(_, bound) if bound != UNKNOWN:
            return call(resolver, bound, arguments)
        case External(is_option=True) | ExternalInstance(is_option=True):
            return FOREIGN_OPTION
        case External(name):
            # By custom, what begins with a capital is a class.
            return ExternalInstance(name) if _names_class(name) else FOREIGN
        case ExternalInstance():
            return FOREIGN
    return UNKNOWN


def _call_one_of(resolver: Resolver, callees: list[Type], arguments: Arguments) -> Type:
    """What calling one of several gives.

    What is not known of a method is an option, where another class has one of the same name: the
    one may be plain, and the other asynchronous. Of what gives Deferreds, all does, as a rule.
    """
    results = [call(resolver, each, arguments) for each in callees]
    found = [each for each in results if known(each)]
    kinds = [resolver.awaitability(each).kind for each in found] if UNKNOWN in results else []
    if kinds and Kind.DEFERRED not in kinds:
        owners = [each.function.owner for each in callees if isinstance(each, FunctionType)]
        results = [
            FOREIGN_OPTION
            if result == UNKNOWN and _is_of_another_class(resolver, callee, owners)
            else result
            for callee, result in zip(callees, results, strict=True)
        ]
    return union_of(results)


def _is_of_another_class(resolver: Resolver, callee: Type, owners: Sequence[Class | None]) -> bool:
    """Whether a method is that of a class which none of some others has to do with."""
    if not isinstance(callee, FunctionType) or callee.function.owner is None:
        return False
    own = callee.function.owner
    return any(
        other is not None
        and other != own
        and not any(own == each for each, _ in resolver.classes.ancestors(other))
        for other in owners
    )


def _names_class(name: str) -> bool:
    return name.rpartition(".")[2][:1].isupper()


def _call_callable(resolver: Resolver, callee: CallableType, arguments: Arguments) -> Type:
    own = {name for parameter in callee.parameters for name in type_variables(parameter)}
    if own.isdisjoint(type_variables(callee.returns)):
        return callee.returns
    # Its own variables are solved by this very call, others by whoever made the callable.
    solved: dict[str, Type] = {}
    for wanted, argument in zip(callee.parameters, arguments.positional, strict=False):
        match(resolver, wanted, argument(), solved)
    return substitute(callee.returns, {name: solved.get(name, UNKNOWN) for name in own})


def _call_function(resolver: Resolver, callee: FunctionType, arguments: Arguments) -> Type:
    function = callee.function
    decorated = resolver.functions.decorated(function)
    if isinstance(decorated, FunctionType) and decorated.function == function:
        returned = resolver.functions.plain_result(function)
    else:
        returned = call(resolver, decorated, arguments)
    if not type_variables(returned):
        return returned
    bindings = dict(callee.bindings)
    if bindings and awaited_results.awaits_what_it_calls(resolver, function, bindings):
        bindings = dict.fromkeys(bindings, UNKNOWN)
    returned = substitute(returned, bindings)
    wanted = type_variables(returned)
    if wanted:
        solved = _solve_call(resolver, callee, arguments, bindings)
        known = {name: solved[name] for name in wanted if name in solved}
        if awaited_results.awaits_what_it_calls(resolver, function, known):
            known = dict.fromkeys(known, UNKNOWN)
        returned = substitute(returned, known)
    return erase(returned, _still_open(callee))


def _still_open(callee: FunctionType) -> list[str]:
    """Variables that belong to the receiver's own class, seen from inside it."""
    return [name for _, bound in callee.bindings for name in type_variables(bound)]


def _construct(resolver: Resolver, callee: ClassObject, arguments: Arguments) -> Type:
    cls = callee.cls
    parameters = resolver.classes.parameters(cls)
    if callee.arguments or not parameters:
        return Instance(cls, callee.arguments)
    solved: dict[str, Type] = {}
    own = Instance(cls, tuple(TypeVariable(name) for name in parameters))
    constructor = resolver.classes.member(own, "__init__")
    if isinstance(constructor, FunctionType):
        solved = _solve_call(resolver, constructor, arguments, dict(constructor.bindings))
    return Instance(cls, tuple(solved.get(name, UNKNOWN) for name in parameters))


def _solve_call(
    resolver: Resolver, callee: FunctionType, arguments: Arguments, bindings: Mapping[str, Type]
) -> dict[str, Type]:
    """What the type variables of a function's parameters are, given the arguments."""
    function = callee.function
    scope = signature_scope(function)
    solved: dict[str, Type] = {}
    parameters = list(function.facts.parameters)
    if resolver.bindings.is_bound(callee):
        own = parameters[:1]
        parameters = parameters[1:]
        if own and own[0].annotation and callee.receiver:
            # `def method(self: Self[T])` and the like.
            wanted = annotation_types.evaluate(resolver, parse_expression(own[0].annotation), scope)
            match(resolver, wanted, callee.receiver, solved)
    for parameter, argument in pair(parameters, arguments):
        if not parameter.annotation:
            solved[parameter_variable(function, parameter.name)] = argument()
            continue
        node = parse_expression(parameter.annotation)
        wanted = substitute(annotation_types.evaluate(resolver, node, scope), bindings)
        if type_variables(wanted):
            match(resolver, wanted, argument(), solved)
    return solved


def decorate(
    resolver: Resolver, function: Function, decorators: Sequence[str] | None = None
) -> Type:
    """A function's type after its decorators, or some of them, the innermost applied first."""
    current: Type = FunctionType(function)
    scope = enclosing_scope(function)
    for text in reversed(function.facts.decorators if decorators is None else decorators):
        node = parse_expression(text)
        if node is None:
            return UNKNOWN
        if not TRANSPARENT.isdisjoint(resolver.names_of_text(text, scope)):
            continue
        # The first stage is the function itself, whose own decorators are being asked for.
        is_bare = current == FunctionType(function)
        stage = _undecorated(resolver, function) if is_bare else current
        applied = _applied(resolver, text, node, stage, function, is_bare=is_bare)
        if _chooses_other_kind(resolver, function, node, scope, applied):
            continue
        # What a decorator that gives back what it takes says of it has lost its type variables.
        current = current if applied in (stage, erase(stage)) else applied
    return current


def _chooses_other_kind(
    resolver: Resolver, function: Function, decorator: ast.expr, scope: Scope, applied: Type
) -> bool:
    """Whether a decorator looks what it is applied to, and so gives a plain function no awaitable.

    `if isgeneratorfunction(f): f = inlineCallbacks(f)`; two wrappers, one of them `async def`.
    """
    facts = function.facts
    if facts.is_async or facts.is_generator:
        return False
    plain = resolver.functions.plain_result(function)
    if resolver.awaitability(plain).certainty not in (Certainty.NO, Certainty.UNKNOWN):
        return False
    if resolver.awaitability(call(resolver, applied, NO_ARGUMENTS)).certainty is Certainty.NO:
        return False
    maker = decorator.func if isinstance(decorator, ast.Call) else decorator
    for member in members_of(resolver.type_of(maker, scope)):
        for each in _run_by(resolver, member):
            tree = each.tree()
            if tree is not None and any(
                last_name(node) in KIND_TEST_NAMES for node in all_nodes(tree)
            ):
                return True
    return False


def _run_by(resolver: Resolver, decorator: Type) -> Sequence[Function]:
    """What runs when something decorates: the function itself, the `__call__` of an object."""
    if isinstance(decorator, FunctionType):
        return (decorator.function,)
    if isinstance(decorator, ClassObject | Instance):
        return resolver.classes.functions(decorator.cls, "__call__")
    return ()


def _applied(
    resolver: Resolver,
    text: str,
    node: ast.expr,
    stage: Type,
    function: Function,
    *,
    is_bare: bool,
) -> Type:
    """What one decorator makes of a function."""
    decorators, scope = resolver.decorators, enclosing_scope(function)
    decorator = decorators.named_by(node, scope)
    if is_external(decorator):
        decorator = decorators.inline_callbacks(text, function) or decorator
    found = decorators.applied(decorator, stage, function, is_bare=is_bare)
    if found == stage:
        # It gives back what it takes, whatever its annotations say.
        return stage
    declared = resolver.call_with(decorator, stage)
    if resolver.awaitability(resolver.call_type(declared)).certainty is Certainty.SOME:
        # Which of both, the wrapper tells.
        inner = decorators.named_by(node, scope, is_believed=False)
        told = decorators.applied(inner, stage, function, is_bare=is_bare)
        if told != UNKNOWN:
            return told
    if is_external(declared):
        likely = decorators.presumed(text, stage, function)
        return declared if likely == UNKNOWN else likely
    made = decorators.constructed(decorator, stage)
    if made != UNKNOWN and resolver.awaitability(made).is_certain:
        return CallableType(made)
    if found == UNKNOWN and resolver.call_type(declared) == UNKNOWN:
        likely = decorators.run_by_object(decorator, stage, function)
        if likely != UNKNOWN:
            return likely
    if found == UNKNOWN or (_is_annotated(decorator) and resolver.call_type(declared) != UNKNOWN):
        return declared
    return found


def _is_annotated(decorator: Type) -> bool:
    """Whether a decorator's own annotation says what it gives."""
    return not isinstance(decorator, FunctionType) or bool(decorator.function.facts.returns)


def _undecorated(resolver: Resolver, function: Function) -> Type:
    return CallableType(resolver.functions.plain_result(function))
