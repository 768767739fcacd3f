"""Where an awaitable comes from, and so whether it follows the log-context rules.

What Twisted makes, and what was started in the background, leaves the caller's log context in
place: it is *raw*. What an asynchronous function of the project gives, or the yieldable wrapper,
follows the rules. Everything else is unknown.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

from logctx_lint.analysis.deferreds.shared_state import COPIES, LOOK_UPS, VIEWS, Sharing
from logctx_lint.analysis.possible_values import put_into_name
from logctx_lint.analysis.units import File
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference import protocols
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.class_members import PROPERTIES, enclosing_scope
from logctx_lint.inference.decorators import decorator_roles
from logctx_lint.inference.definitions import Variable
from logctx_lint.inference.types import (
    UNKNOWN,
    Certainty,
    ClassObject,
    External,
    FunctionType,
    Instance,
    Kind,
    Type,
    members_of,
    without_none,
)
from logctx_lint.inference.use_def import Binding, Comprehension, Scope
from logctx_lint.project.facts import FunctionNode, VariableFacts
from logctx_lint.project.modules import Class, Function
from logctx_lint.syntax.ast_walk import call_arguments, returned_values

_PASSERS = frozenset({Role.DEFERRED_PASSER, Role.CANCELLATION_SHIELD})
_HANDS_ON = frozenset({Role.CHAINER, Role.HAND_STARTER, Role.FIRED})
_TAKES = LOOK_UPS | {"pop", "popleft", "popitem"}
"""Methods that give an element of a container."""
_DEEPEST = 50
"""How many expressions an awaitable is followed through."""
_LONGEST_LABEL = 60


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an awaitable comes from."""

    source: str
    """In words; of an awaitable that follows the rules, nothing."""

    @property
    def is_raw(self) -> bool:
        return bool(self.source)


FOLLOWS = Origin("")


@dataclass
class Origins:
    """Follows awaitables back to what made them."""

    file: File
    _open: set[object] = field(default_factory=set)
    """What is being looked at, so that a circle ends."""

    def of(self, node: ast.expr, scope: Scope) -> Origin | None:
        """Where the value of an expression comes from; None where that is not known."""
        if node in self._open or len(self._open) > _DEEPEST:
            return None
        self._open.add(node)
        try:
            return self._of(node, scope)
        finally:
            self._open.discard(node)

    def _of(self, node: ast.expr, scope: Scope) -> Origin | None:
        match node:
            case ast.Call():
                return self._call(node, scope)
            case ast.Name():
                return self._name(node, scope)
            case ast.Attribute():
                return self._attribute(node, scope)
            case ast.Subscript(value):
                return self._element(value, scope)
            case ast.IfExp(_, body, orelse):
                return _any_of(self.of(each, scope) for each in (body, orelse))
            case ast.BoolOp(_, values):
                return _any_of(self.of(each, scope) for each in values)
            case ast.NamedExpr(_, value):
                return self.of(value, scope)
        return None

    # Calls

    def _call(self, call: ast.Call, scope: Scope) -> Origin | None:
        func, file = call.func, self.file
        callee = file.resolver.type_of(func, scope)
        if _is_asynchronous(callee):
            return FOLLOWS  # Most calls; it spares them the question for their names.
        roles = file.roles(func, scope)
        if Role.YIELDABLE_WRAPPER in roles:
            return FOLLOWS
        if Role.BACKGROUND_STARTER in roles or self._is_preserved(func, scope):
            return _raw_call(func) if self._may_be_deferred(call, scope) else None
        if (Role.RAW_AWAITABLE not in roles and roles & _PASSERS) or roles & _HANDS_ON:
            return self._handed_on(call, scope, roles)
        own = self._called(callee)
        if Role.RAW_AWAITABLE in roles and own != FOLLOWS:
            is_raw = self._is_function(callee, func, scope) and self._may_be_deferred(call, scope)
            return _raw_call(func) if is_raw else None
        if own:
            return own
        if isinstance(func, ast.Attribute) and func.attr in _TAKES:
            return self._element(func.value, scope)
        return None

    def _handed_on(self, call: ast.Call, scope: Scope, roles: frozenset[Role]) -> Origin | None:
        """The origin of what a call gives back or waits for: that of what it is given."""
        func = call.func
        if Role.RAW_AWAITABLE not in roles and roles & _PASSERS:
            return _any_of(self.of(each, scope) for each in call_arguments(call))
        if Role.CHAINER in roles:
            return self.of(func.value, scope) if isinstance(func, ast.Attribute) else None
        if Role.HAND_STARTER in roles:
            return self._started(call.args[0], scope) if call.args else None
        return None

    def _is_preserved(self, func: ast.expr, scope: Scope) -> bool:
        """`preserve_fn(f)(x)`."""
        return isinstance(func, ast.Call) and (
            Role.SAFE_DECORATOR in self.file.roles(func.func, scope)
        )

    def _started(self, node: ast.expr, scope: Scope) -> Origin | None:
        """What `ensureDeferred(f(x))` or `maybeDeferred(f, x)` gives."""
        return self._called(self.file.resolver.type_of(node, scope)) or self.of(node, scope)

    def _is_function(self, callee: Type, func: ast.expr, scope: Scope) -> bool:
        """Whether what is called is what its name says, and nothing kept in an attribute."""
        known = [member for member in members_of(callee) if member != UNKNOWN]
        if not known:
            # The names after the first one are those that a class inherits.
            return Role.RAW_AWAITABLE in self.file.vocabulary.roles(
                self.file.resolver.names(func, scope)[:1]
            )
        return all(isinstance(each, FunctionType | ClassObject | External) for each in known)

    def _may_be_deferred(self, call: ast.Call, scope: Scope) -> bool:
        resolver = self.file.resolver
        answer = resolver.awaitability(resolver.type_of(call, scope))
        if answer.certainty in (Certainty.YES, Certainty.SOME):
            return answer.kind in (Kind.DEFERRED, Kind.AWAITABLE)
        return answer.certainty is Certainty.UNKNOWN

    def _called(self, callee: Type) -> Origin | None:
        """What calling functions of the project, or making an object of its classes, gives."""
        return _any_of(
            self._function(member.function.implementation)
            if isinstance(member, FunctionType)
            else self._made(member)
            for member in members_of(callee)
        )

    def _made(self, cls: Type) -> Origin | None:
        deferred = frozenset({"twisted.internet.defer.Deferred"})
        if isinstance(cls, ClassObject) and self.file.resolver.classes.has_ancestor(
            cls.cls, deferred
        ):
            return Origin(f"`{cls.cls.name}()`")
        return None

    def _function(self, function: Function) -> Origin | None:
        """What a call of a function of the project gives."""
        facts = function.facts
        if function.module.is_stub:
            return None
        roles = decorator_roles(self.file.resolver, self.file.vocabulary, function)
        if Role.SAFE_DECORATOR in roles:
            return Origin(f"`{function.name}()`")
        if (facts.is_async and not facts.is_generator) or Role.INLINE_CALLBACKS in roles:
            return FOLLOWS
        if facts.is_async or facts.is_generator or function in self._open:
            return None
        if self.file.resolver.functions.decorated(function) != FunctionType(function):
            return None
        return self._returned(function)

    def _returned(self, function: Function) -> Origin | None:
        node = function.tree()
        if node is None:
            return None
        scope = Scope.of_body(function, node)
        self._open.add(function)
        try:
            return _any_of(self.of(value, scope) for value in returned_values(node))
        finally:
            self._open.discard(function)

    # Names

    def _name(self, node: ast.Name, scope: Scope) -> Origin | None:
        home = _home(node.id, scope)
        if home is None:
            found = self.file.resolver.define(node, scope)[0]
            if not isinstance(found, Variable):
                return None
            outside = Scope(found.module)
            return _any_of(self._assigned(each, outside) for each in found.facts)
        bindings = home.bindings[node.id]
        if home.is_positioned and (home is scope or isinstance(scope.node, Comprehension)):
            bindings = home.reaching_name(node)
        return _any_of(self._bound(each, home) for each in bindings)

    def _bound(self, binding: Binding, scope: Scope) -> Origin | None:
        value = binding.value
        if value is None:
            return None
        if binding.kind == "element" and not binding.path:
            return self._element(value, _source_scope(value, scope))
        if binding.kind not in ("value", "annotation"):
            return None
        for index in binding.path:
            if not isinstance(value, ast.Tuple) or index >= len(value.elts):
                return None
            value = value.elts[index]
        return self.of(value, scope)

    def _assigned(self, variable: VariableFacts, scope: Scope) -> Origin | None:
        value = parse_expression(variable.value)
        return self.of(value, scope) if value else None

    # Attributes

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Origin | None:
        resolver = self.file.resolver
        found = resolver.define(node, scope)[0]
        if isinstance(found, Variable):
            outside = Scope(found.module)
            return _any_of(self._assigned(each, outside) for each in found.facts)
        for owner in self.file.resolver.classes.owners(
            self.file.resolver.type_of(node.value, scope)
        ):
            functions = owner.function(node.attr)
            if functions:
                return self._property(functions[-1])
            if node.attr in owner.facts.variables:
                return self._held(owner, node.attr) or self._kept(node, scope)
        return None

    def _property(self, function: Function) -> Origin | None:
        names = {
            name
            for text in function.facts.decorators
            for name in self.file.resolver.names_of_text(text, enclosing_scope(function))
        }
        return self._returned(function) if names & PROPERTIES else None

    def _held(self, owner: Class, name: str) -> Origin | None:
        """What the methods of a class put into an attribute; raw only if nothing else is."""
        classes = self.file.resolver.classes
        found = [
            self._assigned(each, classes.scope_of(owner, each))
            for each in owner.facts.variables[name]
        ]
        if FOLLOWS in found:
            return FOLLOWS
        origin = _any_of(found)
        return origin and Origin(f"{origin.source}, kept in the attribute `{name}`")

    def _kept(self, node: ast.Attribute, scope: Scope) -> Origin | None:
        """A Deferred that others find in an attribute, too: it was not awaited when it was made."""
        return self._shared(
            self.file.resolver.type_of(node, scope), Sharing(self.file.resolver).place(node, scope)
        )

    def _shared(self, type_: Type, place: str | None) -> Origin | None:
        answer = self.file.resolver.awaitability(without_none(type_))
        if place is None or not answer.is_certain or answer.kind is not Kind.DEFERRED:
            return None
        return Origin(place)

    # Containers

    def _element(self, node: ast.expr, scope: Scope) -> Origin | None:
        """Where the elements of a container come from."""
        if ("element", node) in self._open:
            return None
        self._open.add(("element", node))
        try:
            return self._element_of(node, scope)
        finally:
            self._open.discard(("element", node))

    def _element_of(self, node: ast.expr, scope: Scope) -> Origin | None:
        match node:
            case ast.List(elements) | ast.Tuple(elements) | ast.Set(elements):
                return _any_of(self._one_or_all(each, scope) for each in elements)
            case ast.ListComp(element) | ast.SetComp(element) | ast.GeneratorExp(element):
                return self.of(element, scope.child(node))
            case ast.Dict(_, values):
                return _any_of(self.of(each, scope) for each in values)
            case ast.DictComp(_, value):
                return self.of(value, scope.child(node))
            case ast.Call(ast.Attribute(value, name)) if name in VIEWS:
                return self._element(value, scope)
            case ast.Call(ast.Name(name), [value, *_]) if name in COPIES:
                return self._element(value, scope)
            case ast.Name(name):
                return self._local_elements(node, scope) or self._stored(node, scope)
            case ast.Attribute():
                return self._stored(node, scope)
        return None

    def _one_or_all(self, node: ast.expr, scope: Scope) -> Origin | None:
        if isinstance(node, ast.Starred):
            return self._element(node.value, scope)
        return self.of(node, scope)

    def _local_elements(self, node: ast.Name, scope: Scope) -> Origin | None:
        """What a local name was given as elements, at once or one by one."""
        home = _home(node.id, scope)
        if home is None:
            return None
        given = [
            self._element(binding.value, home)
            for binding in home.bindings[node.id]
            if binding.kind in ("value", "annotation") and binding.value and not binding.path
        ]
        if isinstance(home.node, FunctionNode):
            given += [self.of(each, home) for each in put_into_name(node.id, home.node)]
        return _any_of(given)

    def _stored(self, node: ast.Name | ast.Attribute, scope: Scope) -> Origin | None:
        """An element, known to be a Deferred, of something where others find it, too."""
        resolver = self.file.resolver
        type_ = resolver.type_of(node, scope)
        arguments = [
            found[1]
            for member in members_of(type_)
            if isinstance(member, Instance)
            and (found := resolver.classes.arguments_as(member, "typing.Mapping"))
            and len(found) == 2
        ]
        held = arguments[0] if arguments else protocols.iterated(resolver, type_)
        return self._shared(held, Sharing(resolver).container(node, scope))


def _any_of(origins: Iterable[Origin | None]) -> Origin | None:
    """Raw if one of them is; else what is known."""
    found = [origin for origin in origins if origin]
    return next((origin for origin in found if origin.is_raw), found[0] if found else None)


def _is_asynchronous(callee: Type) -> bool:
    """Whether what is called is an `async def` of the project, as it stands."""
    return (
        isinstance(callee, FunctionType)
        and callee.function.facts.is_async
        and not callee.function.facts.is_generator
        and not callee.function.facts.decorators
        and not callee.function.module.is_stub
    )


def _raw_call(func: ast.expr) -> Origin:
    return Origin(f"`{_label(func)}()`")


def _label(func: ast.expr) -> str:
    text = ast.unparse(func.func if isinstance(func, ast.Call) else func)
    return text if len(text) <= _LONGEST_LABEL else f"…{text[-_LONGEST_LABEL:]}"


def _home(name: str, scope: Scope) -> Scope | None:
    """The function, around the use or its own, in which a name is local."""
    inner: Scope | None = scope
    while inner:
        if not inner.is_class_body and (inner.node or inner.function) and name in inner.bindings:
            return inner
        inner = inner.parent
    return None


def _source_scope(value: ast.expr, scope: Scope) -> Scope:
    """The first source of a comprehension belongs to the scope around it."""
    if isinstance(scope.node, Comprehension) and value is scope.node.generators[0].iter:
        return scope.parent or scope
    return scope
