"""Declared types of results, locals and fields that leave no room for an awaitable."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.awaitables.declared_targets import declared_attribute, declared_item
from logctx_lint.analysis.awaitables.plain_takers import takes_plain_values
from logctx_lint.analysis.callback_arguments import signatures
from logctx_lint.analysis.units import Unit
from logctx_lint.inference import annotation_types, protocols
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.class_members import class_scope, signature_scope
from logctx_lint.inference.passed_arguments import pairs
from logctx_lint.inference.types import (
    UNKNOWN,
    CallableType,
    Certainty,
    ClassObject,
    Instance,
    TupleType,
    Type,
    UnionType,
    members_of,
    substitute,
    union_of,
)
from logctx_lint.inference.use_def import Comprehension, Scope
from logctx_lint.project.facts import Parameter, VariableFacts
from logctx_lint.project.modules import Class, Function
from logctx_lint.syntax.ast_walk import call_arguments

_AWAITABLE = (Certainty.YES, Certainty.SOME)
_TAKE_COROUTINES = frozenset(
    {"builtins.object", "types.GeneratorType", "typing.Generator", "typing.Hashable"}
)
"""What takes anything, and what coroutines were before they had a type of their own."""
_DATA_CLASSES = frozenset(
    {
        "attr._make.attrs",
        "attr.attrs",
        "attr.dataclass",
        "attr.define",
        "attr.frozen",
        "attr.mutable",
        "attr.s",
        "attrs.define",
        "attrs.frozen",
        "attrs.mutable",
        "dataclasses.dataclass",
        "pydantic.dataclasses.dataclass",
    }
)
_RECORDS = frozenset({"NamedTuple", "TypedDict"})
_RETURN_OF_GENERATOR = 2
"""The type argument of `Generator` that says what it returns."""

Place = tuple[ast.expr, Type]
"""An expression, and the type that its value is declared to have."""


def refused_names(unit: Unit, scope: Scope, names: set[str]) -> Iterator[ast.Name]:
    """The uses of names in a function where what is declared leaves no room for an awaitable."""
    places: list[Place] = []
    for statement, where in unit.statements:
        if where is scope:
            places += _stated(unit, statement, scope)
    for call, where in unit.nodes(ast.Call):
        if function_scope(where) is scope and _mentions(call, names):
            places += _given(unit, call, where)
    for value, declared in places:
        for name, type_ in _named(unit, value, declared):
            if name.id in names and refuses(unit, type_):
                yield name


def answered_names(unit: Unit, scope: Scope, names: set[str]) -> Iterator[ast.Name]:
    """The names in a dict that an `async def` returns, and declares as holding no awaitables.

    Such a dict is an answer, of which nobody awaits the parts. `Any` is taken for no awaitable,
    unless the name is declared itself.
    """
    if scope.function is None or not scope.function.facts.is_async or not names:
        return
    declared = declared_result(unit, scope)
    if _speaks_of_awaitables(unit, declared):
        return
    for statement, where in unit.statements:
        if where is scope and isinstance(statement, ast.Return) and statement.value:
            for answer in _dicts(statement.value):
                for value in answer.values:
                    if isinstance(value, ast.Name) and value.id in names:
                        bindings = scope.bindings[value.id]
                        if not any(each.kind == "annotation" for each in bindings):
                            yield value


def _dicts(node: ast.expr) -> Iterator[ast.Dict]:
    match node:
        case ast.Dict(_, values):
            yield node
            for value in values:
                yield from _dicts(value)
        case ast.Tuple(elements) | ast.List(elements):
            for element in elements:
                yield from _dicts(element)


def _speaks_of_awaitables(unit: Unit, declared: Type) -> bool:
    """Whether an awaitable may be meant anywhere in a declared type; also if there is none."""
    if declared == UNKNOWN or unit.file.resolver.awaitability(declared).certainty in _AWAITABLE:
        return True
    parts: tuple[Type, ...] = ()
    match declared:
        case UnionType(parts) | TupleType(parts) | Instance(_, parts):
            pass
    return any(part != UNKNOWN and _speaks_of_awaitables(unit, part) for part in parts)


def refuses(unit: Unit, declared: Type) -> bool:
    """Whether a declared type leaves no room for an awaitable."""
    if unit.file.resolver.awaitability(declared).certainty is not Certainty.NO:
        return False
    # Where a function is taken, it is another rule that tells functions from their results.
    return not any(
        isinstance(member, CallableType)
        or (isinstance(member, Instance) and member.cls.qualified_name in _TAKE_COROUTINES)
        for member in members_of(declared)
    )


def declared_result(unit: Unit, scope: Scope) -> Type:
    """The type that a function is declared to return; UNKNOWN if it is not.

    A plain method in place of an `async def` gives an awaitable of what it declares.
    """
    function = scope.function
    if function is None or not function.facts.returns or _overrides_asynchronous(unit, function):
        return UNKNOWN
    returns = parse_expression(function.facts.returns)
    declared = annotation_types.evaluate(unit.file.resolver, returns, signature_scope(function))
    if not function.facts.is_generator:
        return declared
    parts = declared.arguments if isinstance(declared, Instance) else ()
    return parts[_RETURN_OF_GENERATOR] if len(parts) > _RETURN_OF_GENERATOR else UNKNOWN


def is_declared_for_one_mode(unit: Unit, scope: Scope, declared: Type) -> bool:
    """Whether a plain function may give an awaitable on purpose, in spite of what it declares.

    What works in two modes is declared as it is for one of them. What gives an asynchronous
    iterator in one of its modes is called by asynchronous code in the other, too.
    """
    function = scope.function
    if function is None or function.facts.is_async:
        return False
    resolver = unit.file.resolver
    return unit.file.summaries.of(function).has_two_modes or any(
        isinstance(each, Instance)
        and resolver.classes.arguments_as(each, "typing.AsyncIterable") is not None
        for each in members_of(declared)
    )


def _overrides_asynchronous(unit: Unit, function: Function) -> bool:
    """Whether a method stands in for one that is an `async def`, so that its callers await it."""
    if function.owner is None or function.facts.is_async:
        return False
    ancestors = unit.file.resolver.classes.ancestors(function.owner)[1:]
    return any(
        each.facts.is_async for cls, _ in ancestors for each in cls.function(function.name)[-1:]
    )


def function_scope(scope: Scope) -> Scope:
    """The scope of the function that a comprehension runs in."""
    while isinstance(scope.node, Comprehension) and scope.parent:
        scope = scope.parent
    return scope


def _stated(unit: Unit, statement: ast.stmt, scope: Scope) -> Iterator[Place]:
    match statement:
        case ast.Return(ast.expr() as value):
            declared = declared_result(unit, scope)
            if not is_declared_for_one_mode(unit, scope, declared):
                yield value, declared
        case ast.AnnAssign(_, annotation, ast.expr() as value):
            yield value, annotation_types.evaluate(unit.file.resolver, annotation, scope)
        case ast.Assign([ast.Name(name)], value):
            yield value, declared_local(unit, name, scope)
        case ast.Assign([ast.Attribute() as target], ast.Name() as value):
            yield value, declared_attribute(unit, target, scope)[0]
        case ast.Assign([ast.Subscript() as target], ast.Name() as value):
            yield value, declared_item(unit, target, scope)


def declared_local(unit: Unit, name: str, scope: Scope) -> Type:
    """The type that a local name is declared to have; UNKNOWN if it is not."""
    declared = [each for each in scope.bindings.get(name, ()) if each.kind == "annotation"]
    types = (unit.file.resolver.bindings.type_of(each, scope) for each in declared)
    return union_of(types) if declared else UNKNOWN


def _mentions(call: ast.Call, names: set[str]) -> bool:
    """Whether an argument is one of the names, or a display that holds one."""
    given = call_arguments(call)
    while given:
        match given.pop():
            case ast.Name(name) if name in names:
                return True
            case ast.Tuple(elements) | ast.List(elements) | ast.Set(elements):
                given += elements
            case ast.Dict(_, values):
                given += values
            case ast.IfExp(_, body, orelse):
                given += [body, orelse]
    return False


def _given(unit: Unit, call: ast.Call, scope: Scope) -> Iterator[Place]:
    """The arguments of a call, if it is known where they go, with what they are declared to be."""
    resolver = unit.file.resolver
    if any(takes_plain_values(each) for each in resolver.names(call.func, scope)):
        yield from ((argument, resolver.builtin("str")) for argument in call_arguments(call))
        return
    reached = members_of(resolver.type_of(call.func, scope))
    if len(reached) == 1 and isinstance(reached[0], ClassObject):
        fields = given_for_fields(unit, call, reached[0].cls)
        if fields is not None:
            yield from ((value, declared) for _, declared, value in fields)
            return
    # An overload that does not take as many arguments is not the one that is called.
    for argument, declared in given_for_parameters(unit, call, scope).items():
        yield argument, union_of(type_ for type_, _ in declared)


def given_for_parameters(
    unit: Unit, call: ast.Call, scope: Scope
) -> dict[ast.expr, list[tuple[Type, Parameter]]]:
    """The arguments of a call, each with the parameters it may be for and their declared types.

    Empty where it is not known what all is called. What a collection holds already says nothing
    of what else goes into it, unless it is declared: `[1].append(x)`.
    """
    resolver = unit.file.resolver
    callees = list(signatures(unit.file, call, scope))
    if len(callees) != len(members_of(resolver.type_of(call.func, scope))):
        return {}
    found: dict[ast.expr, list[tuple[Type, Parameter]]] = {}
    for callee, parameters in callees:
        where = signature_scope(callee.function)
        for parameter, argument in (*pairs(call, parameters), *rest(call, parameters)):
            annotation = parse_expression(parameter.annotation)
            general = annotation_types.evaluate(resolver, annotation, where)
            type_ = substitute(general, dict(callee.bindings))
            is_known = type_ == general or _is_declared(unit, call.func, scope)
            # `Iterable[T]` is none of a coroutine's, whatever `T` is.
            found.setdefault(argument, []).append((type_ if is_known else general, parameter))
    return found


def _is_declared(unit: Unit, method: ast.expr, scope: Scope) -> bool:
    """Whether it is written down what the object of a method holds, not only inferred."""
    match method:
        case ast.Attribute(ast.Name(name)):
            found = scope.bindings.get(name, ())
            return bool(found) and all(each.annotation is not None for each in found)
        case ast.Attribute(ast.Attribute() as place):
            return declared_attribute(unit, place, scope)[0] != UNKNOWN
    return False


def given_for_fields(
    unit: Unit, call: ast.Call, cls: Class
) -> list[tuple[str, Type, ast.expr]] | None:
    """What a call that makes a record gives for its fields, each with what that is declared to be.

    None if the class has no fields, or has a constructor of its own.
    """
    fields = _fields_of(unit, cls)
    by_position = bool(fields)
    if not fields and _has_made_constructor(unit, cls):
        # In which order it takes them is not known.
        fields = _fields_of(unit, cls, is_known=False)
    if not fields:
        return None
    given: list[tuple[str, ast.expr]] = []
    if by_position and not any(isinstance(each, ast.Starred) for each in call.args):
        given += zip(fields, call.args, strict=False)
    given += [(each.arg, each.value) for each in call.keywords if each.arg]
    return [(name, fields.get(name, UNKNOWN), value) for name, value in given]


def _has_made_constructor(unit: Unit, cls: Class) -> bool:
    """Whether a decorator or base class of others makes the constructor, as those of models do."""
    classes = unit.file.resolver.classes
    for ancestor, _ in classes.ancestors(cls):
        functions = ancestor.function("__init__")
        if functions and not ancestor.module.is_stub:
            parameters = functions[0].facts.parameters[1:]
            takes_all = bool(parameters) and all(each.kind in ("*", "**") for each in parameters)
            return ancestor.module.is_installed and takes_all
    return bool(cls.facts.decorators or classes.unknown_bases(cls))


def _fields_of(unit: Unit, cls: Class, *, is_known: bool = True) -> dict[str, Type]:
    """What the constructor that a decorator or base class writes takes: the fields of the class.

    `is_known` if that is one of those which are known to do so.
    """
    classes = unit.file.resolver.classes
    fields: dict[str, Type] = {}
    for ancestor, _ in reversed(classes.ancestors(cls)):
        if ancestor.module.is_stub:
            continue
        if not {"__init__", "__new__"}.isdisjoint(ancestor.facts.functions):
            if is_known or not ancestor.module.is_installed:
                return {}
            continue
        makers = (
            name
            for decorator in ancestor.facts.decorators
            for name in unit.file.resolver.names_of_text(decorator, class_scope(ancestor))
        )
        is_record = any(each.rpartition(".")[2] in _RECORDS for each in ancestor.facts.bases)
        if not is_known or is_record or not _DATA_CLASSES.isdisjoint(makers):
            for name, variables in ancestor.facts.variables.items():
                if any(map(_declares_field, variables)):
                    fields[name] = classes.member(Instance(ancestor), name) or UNKNOWN
    return fields


def _declares_field(variable: VariableFacts) -> bool:
    declared = variable.annotation
    return bool(declared) and not variable.method and "ClassVar" not in declared


def rest(call: ast.Call, parameters: list[Parameter]) -> Iterator[tuple[Parameter, ast.expr]]:
    """The arguments that `*rest` and `**others` take."""
    positional = [parameter for parameter in parameters if not parameter.kind]
    named = {parameter.name for parameter in parameters if parameter.kind in ("", "k")}
    for parameter in parameters:
        if parameter.kind == "*":
            for argument in call.args[len(positional) :]:
                if not isinstance(argument, ast.Starred):
                    yield parameter, argument
        elif parameter.kind == "**":
            for keyword in call.keywords:
                if keyword.arg and keyword.arg not in named:
                    yield parameter, keyword.value


def _named(unit: Unit, value: ast.expr, declared: Type) -> Iterator[tuple[ast.Name, Type]]:
    """The names that a value is made of, each with the type that it is declared to have."""
    resolver = unit.file.resolver
    match value:
        case ast.Name():
            yield value, declared
        case ast.Tuple(elements) if isinstance(declared, TupleType):
            for element, type_ in zip(elements, declared.elements, strict=False):
                yield from _named(unit, element, type_)
        case ast.Tuple(elements) | ast.List(elements) | ast.Set(elements):
            type_ = protocols.iterated(resolver, declared)
            for element in elements:
                yield from _named(unit, element, type_)
        case ast.Dict(_, values):
            for element in values:
                yield from _named(unit, element, _value_type(unit, declared))
        case ast.IfExp(_, body, orelse):
            yield from _named(unit, body, declared)
            yield from _named(unit, orelse, declared)


def _value_type(unit: Unit, declared: Type) -> Type:
    """The type of the values of a mapping."""
    if not isinstance(declared, Instance):
        return UNKNOWN
    parts = unit.file.resolver.classes.arguments_as(declared, "typing.Mapping") or ()
    return parts[1] if len(parts) > 1 else UNKNOWN
