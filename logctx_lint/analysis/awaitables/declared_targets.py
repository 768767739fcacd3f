"""The declared types of assignment targets: attributes, elements, variables."""

from __future__ import annotations

import ast

from logctx_lint.analysis.units import Unit
from logctx_lint.inference import annotation_types, protocols
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.class_members import signature_scope
from logctx_lint.inference.types import UNKNOWN, Instance, Type, union_of
from logctx_lint.inference.use_def import Comprehension, Scope
from logctx_lint.project.facts import VariableFacts
from logctx_lint.project.modules import Class
from logctx_lint.syntax.ast_walk import all_nodes, call_arguments, last_name

_PLAIN_MAPPINGS = frozenset({"os.environ"})
"""Mappings of the standard library that hold nothing but text."""
_PARAMETERS_OF_SETTER = 2
_MAKING = frozenset({"", "__init__"})
_DRIVERS = frozenset(
    {"create_task", "ensure_future", "gather", "run", "run_until_complete", "shield", "wait_for"}
)
_OF_COROUTINES = frozenset({"close", "send", "throw"})
_PLAIN_VALUES = frozenset({str, bytes, int, float})
"""Of which none says that there is no coroutine yet, as None and False do."""


def declared_attribute(unit: Unit, target: ast.Attribute, scope: Scope) -> tuple[Type, str]:
    """The type that an attribute is declared to have, or its setter to take."""
    receiver = unit.file.resolver.type_of(target.value, scope)
    if not isinstance(receiver, Instance):
        return UNKNOWN, ""
    classes = unit.file.resolver.classes
    for ancestor, _ in classes.ancestors(receiver.cls):
        facts = ancestor.facts
        if target.attr in facts.functions:
            return _taken_by_setter(unit, ancestor, target.attr)
        variables = facts.variables.get(target.attr, ())
        if variables:
            texts = _annotations(ancestor, variables)
            found = classes.member(receiver, target.attr) if texts else None
            return found or UNKNOWN, texts[0] if texts else ""
    return UNKNOWN, ""


def first_value(unit: Unit, target: ast.Attribute, scope: Scope) -> Type:
    """What an attribute that nothing declares is made with: `self.errors = {}` in `__init__`.

    Not where it may be awaited: then the value only says that there is nothing yet.
    """
    receiver = unit.file.resolver.type_of(target.value, scope)
    if not isinstance(receiver, Instance) or any(
        _is_driven(each, target.attr) for each in all_nodes(unit.file.tree)
    ):
        return UNKNOWN
    for ancestor, _ in unit.file.resolver.classes.ancestors(receiver.cls):
        for each in ancestor.facts.variables.get(target.attr, ()):
            if each.method in _MAKING and not each.annotation:
                value = parse_expression(each.value)
                is_value = isinstance(value, ast.Dict | ast.List | ast.Set | ast.JoinedStr)
                is_value |= isinstance(value, ast.Constant) and type(value.value) in _PLAIN_VALUES
                return unit.file.resolver.type_of(value, scope) if value and is_value else UNKNOWN
    return UNKNOWN


def _is_driven(node: ast.AST, attribute: str) -> bool:
    """Whether code awaits an attribute of this name, starts it, or closes it."""
    match node:
        case ast.Await(ast.Attribute(_, name)):
            return name == attribute
        case ast.Call(ast.Attribute(ast.Attribute(_, name), method)) if method in _OF_COROUTINES:
            return name == attribute
        case ast.Call(func) if last_name(func) in _DRIVERS:
            given = call_arguments(node)
            return any(isinstance(each, ast.Attribute) and each.attr == attribute for each in given)
    return False


def _annotations(cls: Class, variables: list[VariableFacts]) -> list[str]:
    texts = [each.annotation for each in variables if each.annotation]
    if texts or len(variables) != 1:
        return texts
    # `self.name = name`, where the parameter is annotated.
    return [
        parameter.annotation
        for variable in variables
        for method in cls.facts.functions.get(variable.method, ())
        for parameter in method.parameters
        if parameter.name == variable.value and parameter.annotation
    ]


def _taken_by_setter(unit: Unit, cls: Class, name: str) -> tuple[Type, str]:
    for function in cls.function(name):
        parameters = function.facts.parameters
        if f"{name}.setter" in function.facts.decorators and (
            len(parameters) == _PARAMETERS_OF_SETTER
        ):
            text = parameters[1].annotation
            node = parse_expression(text)
            where = signature_scope(function)
            return annotation_types.evaluate(unit.file.resolver, node, where), text
    return UNKNOWN, ""


def declared_item(unit: Unit, target: ast.Subscript, scope: Scope) -> Type:
    """The type that the elements of a collection are declared to have."""
    resolver = unit.file.resolver
    holder = target.value
    if isinstance(target.slice, ast.Slice):
        return UNKNOWN
    match holder:
        case ast.Attribute():
            if not _PLAIN_MAPPINGS.isdisjoint(resolver.names(holder, scope)):
                return resolver.builtin("str")
            declared, _ = declared_attribute(unit, holder, scope)
        case ast.Name(name):
            declared = _declared_name(unit, name, scope)
        case _:
            return UNKNOWN
    if not isinstance(declared, Instance) or not declared.cls.module.is_stub:
        return UNKNOWN
    parts = resolver.classes.arguments_as(declared, "typing.Mapping")
    if parts is not None:
        return parts[1] if len(parts) > 1 else UNKNOWN
    return protocols.iterated(resolver, declared)


def _declared_name(unit: Unit, name: str, scope: Scope) -> Type:
    """The type that a variable or parameter is declared to have, wherever that is done."""
    resolver = unit.file.resolver
    where: Scope | None = scope
    while where is not None:
        bindings = where.bindings.get(name, ())
        if bindings and not (isinstance(where.node, Comprehension) or where.is_class_body):
            annotated = [each for each in bindings if each.annotation is not None]
            return union_of(resolver.bindings.type_of(each, where) for each in annotated)
        where = where.parent
    texts = [
        each.annotation
        for each in unit.file.module.facts.variables.get(name, ())
        if each.annotation
    ]
    top = Scope(unit.file.module)
    return union_of(
        annotation_types.evaluate(resolver, parse_expression(each), top) for each in texts
    )
