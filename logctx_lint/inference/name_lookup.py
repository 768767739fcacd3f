"""What a name in a function, class body or module refers to, and its qualified names."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from logctx_lint.incremental.memo import Store
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.calls import CHAINERS
from logctx_lint.inference.definitions import NOT_FOUND, Found, Variable, function_type
from logctx_lint.inference.types import (
    UNKNOWN,
    ClassObject,
    External,
    ExternalInstance,
    FunctionType,
    Instance,
    ModuleType,
    NoneType,
    Presumed,
    Type,
    Unknown,
    members_of,
    union_of,
)
from logctx_lint.inference.use_def import Binding, Comprehension, Position, Scope
from logctx_lint.project.modules import Class, Function

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver


class Names:
    """Resolves names, innermost scope first; part of the resolver."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._aliases: Store[tuple[str, ...]] = {}

    def define(self, node: ast.expr, scope: Scope) -> Found:
        """What a (dotted) name was bound to, and its qualified names on the way there."""
        if isinstance(node, ast.Name):
            return self._define_name(node.id, scope, _position(node, scope))
        if isinstance(node, ast.Attribute):
            value, names = self.define(node.value, scope)
            if isinstance(value, ModuleType):
                found = self._resolver.definitions.member(value.module, node.attr)
                if found:
                    return found
            if isinstance(value, ModuleType | External):
                full = tuple(f"{name}.{node.attr}" for name in names)
                outer = value.name if isinstance(value, External) else value.module.name
                return External(f"{outer}.{node.attr}"), full
            if isinstance(value, ClassObject):
                classes = self._resolver.classes
                member = classes.member(value, node.attr)
                if member is None:
                    member = classes.mixed_with(value, node.attr)
                full = tuple(f"{name}.{node.attr}" for name in classes.names(value.cls))
                return member, full
        return NOT_FOUND

    def further_out(self, name: str, scope: Scope, *, is_global: bool) -> Found:
        """What a name is outside of a function that says `global` or `nonlocal`."""
        if is_global or scope.parent is None:
            return self._global(name, scope) or NOT_FOUND
        return self._define_name(name, scope.parent, None)

    def _define_name(self, name: str, scope: Scope, position: Position | None) -> Found:
        inner: Scope | None = scope
        while inner:
            if not inner.is_signature:
                found = self._in_scope(name, inner, position)
                if found:
                    return found
            if not isinstance(inner.node, Comprehension):
                # A function sees what its surroundings bind at any time.
                position = None
            inner = inner.parent
        found = self._global(name, scope)
        if found is None or self._is_own_submodule(found, name, scope):
            found = self._late_local(name, scope) or found
        return found or NOT_FOUND

    def _is_own_submodule(self, found: Found, name: str, scope: Scope) -> bool:
        """Whether a name is only bound in a package because it is that of a module in it."""
        module = scope.module
        return (
            isinstance(found[0], ModuleType)
            and found[1] == (f"{module.name}.{name}",)
            and name not in module.facts_about(name).imports
        )

    def _global(self, name: str, scope: Scope) -> Found | None:
        found = self._resolver.definitions.member(scope.module, name)
        if found is None and self._resolver.builtins:
            found = self._resolver.definitions.member(self._resolver.builtins, name)
        return found

    def _in_scope(self, name: str, scope: Scope, position: Position | None) -> Found | None:
        if scope.is_class_body:
            return self._in_class_body(name, scope)
        if scope.function and scope.node is None:
            # Read from facts: the parameters are at hand, the rest would need the tree.
            return self._facts_parameter(name, scope, scope.function)
        bindings = (
            scope.reaching(name, position) if position else list(scope.bindings.get(name, ()))
        )
        if not bindings:
            return None
        found = self._define_bindings(bindings, scope)
        return self._declared(name, scope) or found if found[0] is UNKNOWN else found

    def _declared(self, name: str, scope: Scope) -> Found | None:
        """What the annotation of a local name says, where what it is bound to does not."""
        for binding in scope.bindings[name]:
            if binding.kind == "annotation":
                return self._resolver.bindings.type_of(binding, scope), ()
        return None

    def _define_bindings(self, bindings: list[Binding], scope: Scope) -> Found:
        if len(bindings) == 1:
            return self.define_binding(bindings[0], scope)
        return union_of(self._resolver.bindings.type_of(binding, scope) for binding in bindings), ()

    def _late_local(self, name: str, scope: Scope) -> Found | None:
        """A local of a function known from facts; last, because it costs a parse."""
        inner: Scope | None = scope
        while inner:
            if inner.function and inner.node is None and not inner.is_signature:
                bindings = inner.bindings.get(name)
                if bindings:
                    return self._define_bindings(bindings, inner)
            inner = inner.parent
        return None

    def _facts_parameter(self, name: str, scope: Scope, function: Function) -> Found | None:
        for index, parameter in enumerate(function.facts.parameters):
            if parameter.name == name:
                found = self._resolver.bindings.parameter_type(
                    function,
                    parse_expression(parameter.annotation),
                    parse_expression(parameter.default),
                    "self" if index == 0 and function.owner else parameter.kind,
                    scope,
                    name,
                )
                if parameter.annotation or parameter.default != "None" or found == UNKNOWN:
                    return found, ()
                # `if client is None: client = Client()` besides what callers are seen to pass.
                others = (
                    self._resolver.bindings.type_of(each, scope)
                    for each in scope.bindings.get(name, ())
                    if each.kind != "parameter"
                )
                return union_of([found, *others]), ()
        return None

    def _in_class_body(self, name: str, scope: Scope) -> Found | None:
        owner = scope.owner
        if owner is None or not owner.facts.defines(name):
            return None
        full_name = f"{owner.qualified_name}.{name}"
        inner = owner.facts.classes.get(name)
        if inner:
            return ClassObject(Class(owner.module, full_name, inner.line, inner, owner.scope)), (
                full_name,
            )
        functions = owner.function(name)
        if functions:
            return function_type(functions), (full_name,)
        if any(not item.method for item in owner.facts.variables.get(name, ())):
            return self._resolver.classes.member(ClassObject(owner), name) or UNKNOWN, (full_name,)
        return None

    def define_binding(self, binding: Binding, scope: Scope) -> Found:
        """What one binding in `scope` binds."""
        if binding.imported:
            return self._resolver.definitions.imported(scope.module, binding.imported)
        if binding.function:
            return FunctionType(binding.function), (binding.function.qualified_name,)
        if binding.cls:
            return ClassObject(binding.cls), (binding.cls.qualified_name,)
        if (
            binding.kind == "value"
            and not binding.path
            and isinstance(binding.value, ast.Name | ast.Attribute)
        ):
            # `sleep = clock.sleep`: a local alias keeps its qualified names.
            return self._resolver.bindings.type_of(binding, scope), self.names(binding.value, scope)
        return self._resolver.bindings.type_of(binding, scope), ()

    def names(self, node: ast.expr, scope: Scope) -> tuple[str, ...]:
        """Every qualified name under which the thing that `node` names is known."""
        definition, names = self.define(node, scope)
        if isinstance(definition, Variable):
            return names + self._names_of_value(definition)
        if names or not isinstance(node, ast.Attribute):
            return names
        return self._member_names(self._resolver.type_of(node.value, scope), node.attr)

    def _names_of_value(self, variable: Variable) -> tuple[str, ...]:
        """Of `gather = defer.gatherResults` in a module: those of the value."""
        values = [parse_expression(each.value) for each in variable.facts]
        if len(values) != 1 or not isinstance(values[0], ast.Name | ast.Attribute):
            return ()
        value, scope = values[0], Scope(variable.module)
        return self._resolver.memo.get(
            self._aliases, variable, lambda: self.names(value, scope), ()
        )

    def _member_names(self, receiver: Type, name: str) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for member in members_of(receiver):
            if isinstance(member, Instance | ClassObject):
                for class_name in self._resolver.classes.names(member.cls):
                    found[f"{class_name}.{name}"] = None
            elif isinstance(member, ExternalInstance | External):
                found[f"{member.name}.{name}"] = None
            elif isinstance(member, ModuleType):
                item = self._resolver.definitions.member(member.module, name)
                found.update(dict.fromkeys(item[1] if item else ()))
        # By the name of its method alone, nothing is known of the receiver; by this one it is.
        is_open = all(
            isinstance(each, Unknown | NoneType | Presumed) for each in members_of(receiver)
        )
        if not found and name in CHAINERS and is_open:
            return (f"twisted.internet.defer.Deferred.{name}",)
        return tuple(found)

    def names_of_text(self, text: str, scope: Scope) -> tuple[str, ...]:
        """The names of an expression in facts; of the callee, where it is a call."""
        node = parse_expression(text)
        if isinstance(node, ast.Call):
            node = node.func
        return self.names(node, scope) if node else ()


def _position(node: ast.expr, scope: Scope) -> Position | None:
    return (node.lineno, node.col_offset) if scope.is_positioned else None
