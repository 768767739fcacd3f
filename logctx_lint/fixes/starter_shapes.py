"""What a project's own background starter takes: a function and its arguments, or a coroutine."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from enum import Enum

from logctx_lint.analysis.called_code import code_of
from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.units import File
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference import annotation_types
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.class_members import signature_scope
from logctx_lint.inference.types import (
    CallableType,
    ClassObject,
    Instance,
    functions_of,
    members_of,
)
from logctx_lint.project.facts import FunctionNode, Parameter
from logctx_lint.project.modules import Function

_TAKE_COROUTINES = frozenset({Role.TASK_STARTER, Role.NURSERY_STARTER, Role.HAND_STARTER})


class Shape(Enum):
    """How a starter is called."""

    FUNCTION = "start(f, x)"
    COROUTINE = "start(f(x))"
    OTHER = "neither"


def shape(file: File, name: str, role: Role) -> Shape:
    """How the starter of a qualified name is called: by its signature or body, else by its role."""
    by_role = Shape.COROUTINE if role is Role.NURSERY_STARTER else Shape.FUNCTION
    for function in _functions(file, name):
        is_bound = bool(file.resolver.bindings.first_parameter(function))
        parameters = function.facts.parameters[is_bound:]
        shapes = [_taken_as(file, function, each, parameters) for each in parameters]
        found = shapes[0] if shapes and shapes[0] else by_role
        is_alone = all(each.default or each.kind in ("*", "**") for each in parameters[1:])
        if function.facts.is_async or Shape.COROUTINE in shapes[1:]:
            return Shape.OTHER
        return found if is_alone or found is Shape.FUNCTION else Shape.OTHER
    return by_role


def _functions(file: File, name: str) -> Iterator[Function]:
    """The function or method of a qualified name, as far as the project has it."""
    resolver, (home, _, attribute) = file.resolver, name.rpartition(".")
    for module_name, path in ((home, [attribute]), (home.rpartition(".")[0], name.split(".")[-2:])):
        module = resolver.modules.find(module_name, file.module.root) if module_name else None
        found = module and resolver.definitions.member(module, path[0])
        if not found:
            continue
        type_ = resolver.value_of(found[0])
        if path[1:]:
            for each in members_of(type_):
                if isinstance(each, ClassObject):
                    yield from resolver.classes.functions(each.cls, attribute)
        else:
            yield from functions_of(type_)


def _taken_as(
    file: File, function: Function, parameter: Parameter, parameters: tuple[Parameter, ...]
) -> Shape | None:
    """What an argument has to be; None where nothing says it."""
    if parameter.kind in ("*", "**"):
        return None
    declared = annotation_types.evaluate(
        file.resolver, parse_expression(parameter.annotation), signature_scope(function)
    )
    if any(isinstance(each, CallableType) for each in members_of(declared)):
        return Shape.FUNCTION
    if file.resolver.awaitability(declared).is_certain:
        return Shape.COROUTINE
    code = code_of(function)
    for node in code.nodes if code else ():
        match node:
            case ast.Call(ast.Name(called)) if called == parameter.name:
                return Shape.FUNCTION
            case ast.Call(func, [ast.Name(given), *_]) if code and given == parameter.name:
                if file.roles(func, code.scope) & _TAKE_COROUTINES:
                    return Shape.COROUTINE
    following = parameters[parameters.index(parameter) + 1 :][:1]
    is_before_rest = not parameter.annotation and any(each.kind == "*" for each in following)
    return Shape.FUNCTION if is_before_rest else None


def method_at_hand(context: TreeContext, name: str) -> str:
    """`self.start`, or `self.tasks.start`, where that is the method of a qualified name."""
    node, owner = context.unit.node, context.unit.scope.enclosing_class
    if not isinstance(node, FunctionNode) or owner is None:
        return ""
    classes, attribute = context.resolver.classes, name.rpartition(".")[2]
    own = classes.functions(owner, node.name)
    if not own or context.resolver.bindings.first_parameter(own[-1]) != "self":
        return ""
    receiver = own[-1].facts.parameters[0].name
    if sum(receiver in scope.bindings for scope in context.unit.scopes.values()) > 1:
        return ""

    def has_it(instance: Instance) -> bool:
        found = classes.member(instance, attribute)
        return bool(found) and any(
            each.qualified_name == name for each in functions_of(found or instance)
        )

    if has_it(Instance(owner)):
        return f"{receiver}.{attribute}"
    held_under = [
        each for ancestor, _ in classes.ancestors(owner) for each in ancestor.facts.variables
    ]
    for each in held_under:
        held = classes.member(Instance(owner), each)
        if isinstance(held, Instance) and has_it(held):
            return f"{receiver}.{each}.{attribute}"
    return ""
