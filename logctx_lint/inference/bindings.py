"""What a bound name holds: assignments, parameters, loop and `with` targets, unpacking."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Literal

from logctx_lint.inference import annotation_types, protocols
from logctx_lint.inference.calls import CHAINERS
from logctx_lint.inference.class_members import enclosing_scope, signature_scope
from logctx_lint.inference.contradicted_annotations import by_default, by_use
from logctx_lint.inference.types import (
    UNKNOWN,
    ClassObject,
    FunctionType,
    Instance,
    Kind,
    TupleType,
    Type,
    UnionType,
    members_of,
    union_of,
    without_none,
)
from logctx_lint.inference.use_def import Binding, Comprehension, Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import child_blocks

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver

_INTERFACE = frozenset({"zope.interface.Interface"})


class Bindings:
    """Types of bindings; part of the resolver."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    def type_of(self, binding: Binding, scope: Scope) -> Type:
        memo = self._resolver.memo
        unknown: Type = UNKNOWN
        if scope.is_transient:
            return memo.transient(scope, binding, lambda: self._infer(binding, scope), unknown)
        return memo.get(scope.types, binding, lambda: self._infer(binding, scope), unknown)

    def _infer(self, binding: Binding, scope: Scope) -> Type:
        found = self._packed(binding, scope)
        is_open = isinstance(found, UnionType) and UNKNOWN in found.members
        if is_open and self._has_deferred(found) and _gets_callbacks(binding, scope):
            found = union_of(each for each in members_of(found) if each != UNKNOWN)
        for index in binding.path:
            found = protocols.element(self._resolver, found, index)
        return found

    def _has_deferred(self, type_: Type) -> bool:
        answers = (self._resolver.awaitability(each) for each in members_of(type_))
        return any(each.is_certain and each.kind is Kind.DEFERRED for each in answers)

    def _packed(self, binding: Binding, scope: Scope) -> Type:
        if binding.imported or binding.function or binding.cls:
            return self._resolver.value_of(self._resolver.lookup.define_binding(binding, scope)[0])
        value = binding.value
        match binding.kind:
            case "parameter":
                return self._parameter(binding, scope)
            case "annotation":
                return annotation_types.evaluate(self._resolver, binding.annotation, scope)
            case "global" | "nonlocal":
                is_global = binding.kind == "global"
                found = self._resolver.lookup.further_out(binding.name, scope, is_global=is_global)
                return self._resolver.value_of(found[0])
            case "value" if value is not None:
                return self._resolver.type_of(value, scope)
            case "element" | "async element" if value is not None:
                is_async = binding.kind == "async element"
                iterable = self._resolver.type_of(value, _scope_of_source(value, scope))
                return protocols.iterated(self._resolver, iterable, is_async=is_async)
            case "entered" | "async entered" if value is not None:
                is_async = binding.kind == "async entered"
                return protocols.entered(
                    self._resolver, self._resolver.type_of(value, scope), is_async=is_async
                )
            case "except" if value is not None:
                caught = self._resolver.type_of(value, scope)
                options = caught.elements if isinstance(caught, TupleType) else (caught,)
                return union_of(
                    Instance(option.cls) if isinstance(option, ClassObject) else UNKNOWN
                    for option in options
                )
        return UNKNOWN

    def _parameter(self, binding: Binding, scope: Scope) -> Type:
        if scope.given is not None and binding.name in scope.given:
            return scope.given[binding.name]
        return self.parameter_type(
            scope.function,
            binding.annotation,
            binding.value,
            binding.parameter,
            scope,
            binding.name,
        )

    def parameter_type(
        self,
        function: Function | None,
        annotation: ast.expr | None,
        default: ast.expr | None,
        kind: str,
        scope: Scope,
        name: str,
    ) -> Type:
        further_out = enclosing_scope(function) if function else scope.parent or scope
        if annotation is not None:
            where = signature_scope(function) if function else scope
            found = annotation_types.evaluate(self._resolver, annotation, where)
            if kind == "*":
                return self._resolver.builtin("tuple", found)
            if kind == "**":
                return self._resolver.builtin("dict", self._resolver.builtin("str"), found)
            if found != UNKNOWN and default is not None:
                return by_default(self._resolver, found, default, further_out)
            if found != UNKNOWN or default is None:
                return by_use(found, name, scope)
            # `client: Any = twisted.names.client` says by its default what is usual.
        if kind == "self":
            return self.self_type(scope) or UNKNOWN
        passed: Type = UNKNOWN
        if function and kind in ("", "k"):
            declared = self._resolver.declared_parameters.parameter(function, name)
            if declared != UNKNOWN:
                return declared
            passed = self._resolver.call_sites.parameter(function, name)
        if default is not None:
            # A default of None says nothing; another one is one of several possibilities.
            given = without_none(self._resolver.type_of(default, further_out))
            return passed if given == UNKNOWN else union_of([given, passed])
        return passed

    def self_type(self, scope: Scope) -> Type | None:
        """What the first parameter of the enclosing method is."""
        method = scope.method
        if method is None:
            return None
        owner, function = method.owner, method.function
        if owner is None or function is None:
            return None
        kind = self.first_parameter(function)
        if not kind:
            return None
        itself = self._resolver.classes.inside(owner)
        return itself if kind == "self" else ClassObject(owner, itself.arguments)

    def is_bound(self, callee: FunctionType) -> bool:
        """Whether a call fills the first parameter by itself; `C.method(c)` names its object."""
        first = self.first_parameter(callee.function)
        return first == "cls" or (first == "self" and isinstance(callee.receiver, Instance))

    def first_parameter(self, function: Function) -> Literal["", "self", "cls"]:
        """What the first parameter of a function gets without an argument for it."""
        if function.owner is None:
            return ""
        where = enclosing_scope(function)
        for decorator in function.facts.decorators:
            names = self._resolver.names_of_text(decorator, where)
            if "builtins.staticmethod" in names:
                return ""
            if "builtins.classmethod" in names:
                return "cls"
        if function.name in ("__new__", "__init_subclass__", "__class_getitem__"):
            return "cls"
        # The methods of an interface are written as they are called.
        is_named = any(parameter.name == "self" for parameter in function.facts.parameters[:1])
        if not is_named and self._resolver.classes.has_ancestor(function.owner, _INTERFACE):
            return ""
        return "self"


def _scope_of_source(iterable: ast.expr, scope: Scope) -> Scope:
    """The scope of what a loop is over: of a comprehension's first `for`, the one outside."""
    if isinstance(scope.node, Comprehension) and scope.parent:
        return scope.parent if iterable is scope.node.generators[0].iter else scope
    return scope


def _gets_callbacks(binding: Binding, scope: Scope) -> bool:
    """Whether callbacks are added to a value, right behind where it is bound, in any case.

    Nothing but a Deferred has such methods.
    """
    node = scope.node
    if not isinstance(node, FunctionNode) or not isinstance(binding.value, ast.Call):
        return False
    blocks = [node.body]
    for block in blocks:
        for index, statement in enumerate(block):
            match statement:
                case ast.Assign([ast.Name(name)], value) if value is binding.value:
                    following = block[index + 1 : index + 2]
                    return any(_adds_callback(each, name) for each in following)
            blocks += child_blocks(statement)
    return False


def _adds_callback(statement: ast.stmt, name: str) -> bool:
    match statement:
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(receiver), method))):
            return receiver == name and method in CHAINERS
    return False
