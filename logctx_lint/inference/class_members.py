"""Inheritance: the ancestors of a class with their type arguments, and member lookup."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from logctx_lint.incremental.memo import Store
from logctx_lint.inference import annotation_types, filled_collections
from logctx_lint.inference.types import (
    FOREIGN_OPTION,
    NONE,
    UNKNOWN,
    ClassObject,
    ExternalInstance,
    FunctionType,
    Instance,
    Substitution,
    TupleType,
    Type,
    TypeVariable,
    UnionType,
    known,
    members_of,
    substitute,
    substitute_all,
    type_variables,
    union_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import VariableFacts
from logctx_lint.project.modules import Class, Function

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver

Ancestor = tuple[Class, tuple[Type, ...]]
_PROTOCOL = frozenset({"typing.Protocol", "typing_extensions.Protocol"})
_ABSTRACT = frozenset({"abc.ABC"})
_MOST_SUBCLASSES = 20
"""What has more is no mixin of a few."""
PROPERTIES = frozenset({"builtins.property", "functools.cached_property", "abc.abstractproperty"})


def class_scope(cls: Class) -> Scope:
    """The scope in which the class's own annotations and bases are read."""
    return Scope(cls.module, None, cls.scope, None, cls)


def enclosing_scope(function: Function) -> Scope:
    """The scope in which a function's decorators and defaults are read."""
    if function.owner:
        return class_scope(function.owner)
    return function.scope or Scope(function.module)


def signature_scope(function: Function) -> Scope:
    """The scope in which a function's annotations are read."""
    return Scope(
        function.module,
        None,
        enclosing_scope(function),
        function,
        function.owner,
        is_signature=True,
    )


def self_name(cls: Class) -> str:
    """The name of the type variable that `Self` is in a class: whatever inherits it."""
    return f"{cls.qualified_name}.Self"


class Classes:
    """Answers questions about classes; part of the resolver."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._base_types: Store[list[Type]] = {}
        self._unknown_bases: Store[tuple[str, ...]] = {}
        self._names: Store[tuple[str, ...]] = {}
        self._ancestors: Store[tuple[Ancestor, ...]] = {}
        self._ancestor_names: Store[frozenset[str]] = {}
        self._parameters: Store[tuple[str, ...]] = {}
        self._holders: Store[tuple[tuple[int, Class], ...]] = {}
        self._members: Store[Type] = {}
        self._plain_members: Store[Type | None] = {}
        """Of classes without type arguments."""
        self._mixed: Store[Type] = {}

    def parameters(self, cls: Class) -> tuple[str, ...]:
        """The names of the class's type parameters, in order."""
        return self._resolver.memo.get(
            self._parameters, cls, lambda: self._collect_parameters(cls), ()
        )

    def _collect_parameters(self, cls: Class) -> tuple[str, ...]:
        own = tuple(f"{cls.qualified_name}.{name}" for name in cls.facts.type_parameters)
        names: dict[str, None] = dict.fromkeys(own)
        for base in self._bases(cls):
            if isinstance(base, TupleType):
                # `Generic[...]` alone says the order.
                return (*own, *type_variables(base))
            if isinstance(base, Instance):
                names.update(dict.fromkeys(type_variables(base)))
        return tuple(names)

    def bindings(self, cls: Class, arguments: tuple[Type, ...]) -> Substitution:
        """What the class's type parameters stand for, given its arguments."""
        return dict(zip(self.parameters(cls), arguments, strict=False)) if arguments else {}

    def inside(self, cls: Class) -> Instance:
        """An instance seen from inside the class: its type parameters stand for themselves."""
        return Instance(cls, tuple(TypeVariable(name) for name in self.parameters(cls)))

    def self_variable(self, cls: Class) -> TypeVariable:
        """`Self` as the annotations of a class mean it."""
        return TypeVariable(self_name(cls), self.inside(cls))

    def _bases(self, cls: Class) -> list[Type]:
        return self._resolver.memo.get(self._base_types, cls, lambda: self._evaluate_bases(cls), [])

    def _evaluate_bases(self, cls: Class) -> list[Type]:
        scope = class_scope(cls)
        bases = [
            annotation_types.evaluate(
                self._resolver, annotation_types.parse_expression(base), scope
            )
            for base in cls.facts.bases
        ]
        # `class Service(make_base()):`, `class Row(namedtuple(...))`: what the call returns.
        return [
            self._resolver.base_from_call(text, scope) if base == UNKNOWN else base
            for base, text in zip(bases, cls.facts.bases, strict=True)
        ]

    def ancestors(self, cls: Class) -> tuple[Ancestor, ...]:
        """The class and its ancestors, nearest first, with type arguments as seen from inside."""
        return self._resolver.memo.get(
            self._ancestors, cls, lambda: self._linearize(cls), ((cls, ()),)
        )

    def _linearize(self, cls: Class) -> tuple[Ancestor, ...]:
        found: dict[Class, tuple[Type, ...]] = {cls: self.inside(cls).arguments}
        for base in self._bases(cls):
            if isinstance(base, Instance):
                bindings = self.bindings(base.cls, base.arguments)
                for ancestor, arguments in self.ancestors(base.cls):
                    if ancestor == cls:
                        continue
                    # A class met again moves behind the one that inherits it, as in Python.
                    found.pop(ancestor, None)
                    found[ancestor] = substitute_all(arguments, bindings)
        return tuple(found.items())

    def owners(self, type_: Type) -> list[Class]:
        """The classes whose attributes a value of a type has, the nearest first."""
        members = (each for each in members_of(type_) if isinstance(each, Instance | ClassObject))
        return [ancestor for member in members for ancestor, _ in self.ancestors(member.cls)]

    def unknown_bases(self, cls: Class) -> tuple[str, ...]:
        """The names of ancestors outside all known code (empty where not even that is known)."""
        return self._resolver.memo.get(
            self._unknown_bases, cls, lambda: tuple(self._find_unknown_bases(cls)), ()
        )

    def _find_unknown_bases(self, cls: Class) -> Iterator[str]:
        for ancestor, _ in self.ancestors(cls):
            if ancestor.module.is_partial:
                # The rest of its members is as unknown as those of a base that is not here.
                yield ancestor.qualified_name
            for base in self._bases(ancestor):
                if isinstance(base, ExternalInstance):
                    yield base.name
                elif base == UNKNOWN:
                    yield ""

    def names(self, cls: Class) -> tuple[str, ...]:
        """The qualified names of a class and of all its ancestors."""
        return self._resolver.memo.get(self._names, cls, lambda: self._all_names(cls), ())

    def _all_names(self, cls: Class) -> tuple[str, ...]:
        known_names = [ancestor.qualified_name for ancestor, _ in self.ancestors(cls)]
        return (*known_names, *(name for name in self.unknown_bases(cls) if name))

    def has_ancestor(self, cls: Class, names: frozenset[str]) -> bool:
        own = self._resolver.memo.get(
            self._ancestor_names,
            cls,
            lambda: frozenset(ancestor.qualified_name for ancestor, _ in self.ancestors(cls)),
            frozenset((cls.qualified_name,)),
        )
        return not own.isdisjoint(names)

    def is_protocol(self, cls: Class) -> bool:
        """Whether a class is a `Protocol`: classes implement it that do not inherit from it."""
        return self._names_base(cls, _PROTOCOL)

    def is_to_be_extended(self, cls: Class) -> bool:
        """Whether a class is an `ABC`, or has abstract methods, itself."""
        return self._names_base(cls, _ABSTRACT) or any(
            "abstractmethod" in decorator
            for functions in cls.facts.functions.values()
            for each in functions
            for decorator in each.decorators
        )

    def _names_base(self, cls: Class, names: frozenset[str]) -> bool:
        """Whether a class has one of some bases directly."""
        scope = class_scope(cls)
        lasts = {name.rpartition(".")[2] for name in names}
        bases = [base.partition("[")[0] for base in cls.facts.bases]
        return any(
            any(last in base for last in lasts)
            and not names.isdisjoint(self._resolver.names_of_text(base, scope))
            for base in bases
        )

    def arguments_as(self, instance: Instance, name: str) -> tuple[Type, ...] | None:
        """The type arguments that an instance has as one of its ancestors, called `name`."""
        for ancestor, arguments in self.ancestors(instance.cls):
            if ancestor.qualified_name == name:
                return substitute_all(arguments, self.bindings(instance.cls, instance.arguments))
        return None

    def member(self, instance: Instance | ClassObject, name: str, skip: int = 0) -> Type | None:
        """The type of an attribute; None if no known ancestor has it.

        `skip` leaves out the nearest ancestors: 1 is what `super()` sees.
        """
        if instance.arguments or skip:
            return self._member(instance, name, skip)
        return self._resolver.memo.get(
            self._plain_members,
            (instance.cls, type(instance), name),
            lambda: self._member(instance, name, 0),
            UNKNOWN,
        )

    def _member(self, instance: Instance | ClassObject, name: str, skip: int) -> Type | None:
        holders = self._resolver.memo.get(
            self._holders, (instance.cls, name), lambda: self._find_holders(instance.cls, name), ()
        )
        if not holders:
            return self._set_outside(instance, name)
        fallback: Type | None = None
        ancestors = self.ancestors(instance.cls)
        given = self.bindings(instance.cls, instance.arguments)
        for index, ancestor in holders:
            if index < skip:
                continue
            if index and self._is_replaced_before(ancestors[:index], ancestor, name):
                return UNKNOWN
            # Of classes that inherit each other, the ancestors are found out in rounds.
            is_there = index < len(ancestors) and ancestors[index][0] == ancestor
            arguments = substitute_all(ancestors[index][1], given) if is_there else ()
            found = self._own_member(ancestor, name)
            bindings = {
                **self.bindings(ancestor, arguments),
                self_name(ancestor): Instance(instance.cls, instance.arguments),
            }
            bound = self._bind(found, instance, bindings)
            if known(bound):
                return bound
            # Declared here, but only as None: an ancestor may say more.
            fallback = UNKNOWN
        return self._set_outside(instance, name) or fallback

    def _is_replaced_before(self, nearer: tuple[Ancestor, ...], holder: Class, name: str) -> bool:
        """Whether a class has an inherited method replaced, and so has one of its own."""
        hides = self._resolver.replaced_methods.hides
        return name in holder.facts.functions and any(
            hides(cls, name, is_inherited=True) for cls, _ in nearer
        )

    def _set_outside(self, instance: Instance | ClassObject, name: str) -> Type | None:
        """What other code sets an attribute to; None if nobody is seen to set it."""
        # Python looks for special methods in the class alone.
        if not isinstance(instance, Instance) or name.endswith("__"):
            return None
        found = self._resolver.call_sites.attribute(instance.cls, name)
        return found if known(found) else None

    def mixed_with(self, instance: Instance | ClassObject, name: str) -> Type:
        """An attribute that a class only has together with others, in what inherits from all."""
        cls = instance.cls
        if cls.module.is_stub:
            return UNKNOWN
        make = type(instance)
        return self._resolver.memo.get(
            self._mixed,
            (cls, name, make),
            lambda: self._of_any(list(self._in_subclasses(cls, name, make))),
            UNKNOWN,
        )

    def _of_any(self, found: list[Type]) -> Type:
        """One type for what several subclasses have; which of them it is, is not known here."""
        if all(each == UNKNOWN for each in found):
            return UNKNOWN
        return union_of(FOREIGN_OPTION if each == UNKNOWN else each for each in found)

    def _in_subclasses(
        self, cls: Class, name: str, make: type[Instance] | type[ClassObject]
    ) -> Iterator[Type]:
        seen = {cls}
        waiting = [cls]
        while waiting and len(seen) < _MOST_SUBCLASSES:
            for each in self._resolver.references.subclasses(waiting.pop()):
                if each in seen or not any(found == cls for found, _ in self.ancestors(each)):
                    continue
                seen.add(each)
                found = self.member(make(each), name)
                if found is None:
                    waiting.append(each)
                else:
                    yield found

    def _find_holders(self, cls: Class, name: str) -> tuple[tuple[int, Class], ...]:
        """Which of the ancestors define a member themselves, and how far up each is."""
        return tuple(
            (index, ancestor)
            for index, (ancestor, _) in enumerate(self.ancestors(cls))
            if name in ancestor.facts.functions
            or name in ancestor.facts.variables
            or name in ancestor.facts.classes
        )

    def _own_member(self, cls: Class, name: str) -> Type:
        return self._resolver.memo.get(
            self._members, (cls, name), lambda: self._look_up(cls, name), UNKNOWN
        )

    def _look_up(self, cls: Class, name: str) -> Type:
        functions = cls.function(name)
        if functions:
            if self._resolver.replaced_methods.hides(cls, name):
                return UNKNOWN
            return self._resolver.functions.value_of_functions(functions)
        if name in cls.facts.classes:
            inner = cls.facts.classes[name]
            qualified_name = f"{cls.qualified_name}.{name}"
            return ClassObject(Class(cls.module, qualified_name, inner.line, inner, cls.scope))
        variables = cls.facts.variables[name]
        declared = [v for v in variables if v.annotation]
        if declared:
            return union_of(self._declared(cls, variable) for variable in declared)
        found = filled_collections.filled(self._resolver, cls, name)
        if found != UNKNOWN:
            return found
        values = union_of(self._assigned(cls, variable) for variable in variables)
        return UNKNOWN if values == NONE else values

    def _declared(self, cls: Class, variable: VariableFacts) -> Type:
        scope = self.scope_of(cls, variable)
        node = annotation_types.parse_expression(variable.annotation)
        type_ = annotation_types.evaluate(self._resolver, node, scope)
        if type_ == UNKNOWN and variable.annotation in ("Final", "ClassVar"):
            return self._assigned(cls, variable)
        return type_

    def _assigned(self, cls: Class, variable: VariableFacts) -> Type:
        node = annotation_types.parse_expression(variable.value)
        if node is None:
            return UNKNOWN
        return self._resolver.type_of(node, self.scope_of(cls, variable))

    def scope_of(self, cls: Class, variable: VariableFacts) -> Scope:
        """The scope that the value of an attribute is read in."""
        methods = cls.function(variable.method) if variable.method else []
        for method in methods:
            if method.facts.line <= variable.line <= method.facts.end_line:
                return self._resolver.functions.body_scope(method)
        return class_scope(cls)

    def _bind(self, found: Type, receiver: Instance | ClassObject, bindings: Substitution) -> Type:
        if isinstance(found, UnionType):
            return union_of(self._bind(member, receiver, bindings) for member in found.members)
        if isinstance(found, FunctionType):
            if found.receiver is not None:
                return found
            if self.is_property(found.function) and isinstance(receiver, Instance):
                bound = FunctionType(found.function, receiver, tuple(bindings.items()))
                return self._resolver.call_type(bound)
            return FunctionType(found.function, receiver, tuple(bindings.items()))
        found = substitute(found, bindings)
        if isinstance(found, Instance) and isinstance(receiver, Instance):
            getter = self.member(found, "__get__")
            if getter is not None and known(getter):
                return self._resolver.call_type(getter)
        return found

    def functions(self, cls: Class, name: str) -> list[Function]:
        """The nearest definitions of a method of a class."""
        for ancestor, _ in self.ancestors(cls):
            if name in ancestor.facts.functions:
                return ancestor.function(name)
            if name in ancestor.facts.variables:
                return []
        return []

    def is_property(self, function: Function) -> bool:
        """Whether a method is called by asking for an attribute of its name."""
        return any(
            name in PROPERTIES
            for decorator in function.facts.decorators
            for name in self._resolver.names_of_text(decorator, enclosing_scope(function))
        )
