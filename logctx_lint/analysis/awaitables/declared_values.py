"""Un-awaited calls in places whose declared type is a plain value.

    store(fetch())          # def store(name: str)
    count(fetch())          # def count(names): return len(names)
    Record(name=fetch())    # a dataclass with `name: str`
    thing.name = fetch()    # declared in the class
    return [fetch()]        # def ... -> list[str]
    numbers[fetch()]        # an index
    table["x"] = fetch()    # declared as `dict[str, str]`
    post(json={"x": fetch()})

A local name in these places is another rule's business (LCX102), which knows of all its uses.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.awaitables.declared_targets import (
    declared_attribute,
    declared_item,
    first_value,
)
from logctx_lint.analysis.awaitables.expected_types import (
    declared_result,
    given_for_fields,
    given_for_parameters,
    is_declared_for_one_mode,
    refuses,
)
from logctx_lint.analysis.awaitables.misused_values import OF_COROUTINES
from logctx_lint.analysis.awaitables.parameter_values import values_needed
from logctx_lint.analysis.awaitables.plain_takers import takes_plain_values
from logctx_lint.analysis.possible_values import possible_values
from logctx_lint.analysis.units import Unit
from logctx_lint.inference import annotation_types, protocols
from logctx_lint.inference.class_members import enclosing_scope
from logctx_lint.inference.known_names import TRANSPARENT
from logctx_lint.inference.types import (
    UNKNOWN,
    ClassObject,
    Instance,
    Kind,
    TupleType,
    Type,
    members_of,
    union_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.modules import Class, Function
from logctx_lint.syntax.ast_walk import call_arguments, last_name
from logctx_lint.syntax.excerpts import one_line, shortened

_CARRIERS = frozenset({"StopAsyncIteration", "StopIteration"})
"""Exceptions that carry a value, which nobody reads as a text."""
_EXCEPTION = frozenset({"builtins.BaseException"})
_DUMPERS = frozenset({"dump", "dumps"})
_EVERYTHING = frozenset({"builtins.object", "typing.Protocol", "typing.Generic"})
_DISPLAYS = (
    ast.Dict, ast.DictComp, ast.List, ast.ListComp, ast.Set, ast.SetComp, ast.Tuple,
)  # fmt: skip
_HOLDERS = frozenset((*_DISPLAYS, ast.Call, ast.NamedExpr, ast.IfExp, ast.BoolOp))
"""Expressions that `_calls_in` finds a call in."""
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A call whose awaitable stands where its value is declared."""

    call: ast.Call
    scope: Scope
    fate: str
    """What is done with it, in words."""
    kind: Kind


_Place = tuple[ast.expr, Type, str]
"""An expression, the type that its value is declared to have, and what is done with it."""
_Candidate = tuple[ast.AST, Scope, Iterator[_Place]]
"""A node in whose places such a call stands, and the places."""


def misplaced(unit: Unit) -> Iterator[Misplaced]:
    """Every such call of a unit."""
    reader = _Places(unit)
    seen: set[ast.Call] = set()
    for _, scope, places in reader.candidates():
        for part, declared, fate in places:
            for found in reader.refused(part, declared, fate, scope):
                if found.call not in seen:
                    seen.add(found.call)
                    yield found


class _Places:
    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._resolver = unit.file.resolver
        self._kinds: dict[ast.Call, Kind | None] = {}

    def candidates(self) -> Iterator[_Candidate]:
        """The nodes that have such places, if a call that gives an awaitable stands in one."""
        unit = self._unit
        if not unit.possible_awaitables:
            return
        for call, scope in unit.nodes(ast.Call):
            if any(self._holds(each, scope) for each in call_arguments(call)):
                yield call, scope, self._given(call, scope)
            display = self._made_json_of(call, scope)
            if display is not None and self._holds(display, scope):
                yield call, scope, self._json(call, display)
        for item, scope in unit.nodes(ast.Subscript):
            if any(self._holds(each, scope) for each in _bounds(item.slice)):
                yield item, scope, self._index(item, scope)
        for statement, scope in unit.statements:
            value = getattr(statement, "value", None)
            if not isinstance(statement, ast.Return | ast.Assign | ast.AnnAssign) or not value:
                continue
            if self._holds(value, scope):
                yield statement, scope, self._stated(statement, scope)

    def _made_json_of(self, call: ast.Call, scope: Scope) -> ast.expr | None:
        """The display that is made JSON of: `post(url, json=payload)`, `json.dumps(x)`."""
        given = [each.value for each in call.keywords if each.arg == "json"]
        if last_name(call.func) in _DUMPERS and call.args:
            names = self._resolver.names(call.func, scope)
            given += call.args[:1] if any("json" in each for each in names) else []
        for value in given:
            if isinstance(value, ast.Name):
                bindings = scope.reaching_name(value)
                if len(bindings) == 1 and bindings[0].kind == "value" and not bindings[0].path:
                    value = bindings[0].value or value
            if isinstance(value, ast.Dict | ast.DictComp | ast.List | ast.ListComp):
                return value
        return None

    def _json(self, call: ast.Call, display: ast.expr) -> Iterator[_Place]:
        plain = self._resolver.builtin("str")
        is_dict = isinstance(display, ast.Dict | ast.DictComp)
        parts = (plain, plain) if is_dict else (plain,)
        of_plain = self._resolver.builtin("dict" if is_dict else "list", *parts)
        yield display, of_plain, f"put into what `{_text(call.func)}()` makes JSON of"

    def _holds(self, value: ast.expr, scope: Scope) -> bool:
        """Whether a value may come from, or hold, what a call gives that is an awaitable."""
        if type(value) not in _HOLDERS:
            return False
        return any(self._kind(call, where) for call, where in _calls_in(value, scope))

    def _kind(self, call: ast.Call, scope: Scope) -> Kind | None:
        if call not in self._kinds:
            self._kinds[call] = self._find_kind(call, scope)
        return self._kinds[call]

    def _find_kind(self, call: ast.Call, scope: Scope) -> Kind | None:
        if call not in self._unit.possible_awaitables:
            return None
        type_ = self._resolver.type_of(call, scope)
        # A class of one's own that is awaitable besides may be what is declared.
        if not all(
            isinstance(each, Instance) and each.cls.module.is_stub for each in members_of(type_)
        ):
            return None
        answer = self._resolver.awaitability(type_)
        return answer.kind if answer.is_certain else None

    def refused(
        self, value: ast.expr, declared: Type, fate: str, scope: Scope
    ) -> Iterator[Misplaced]:
        """The calls in a value that its declared type leaves no room for."""
        for part, type_, where in self._parts(value, declared, scope):
            if not isinstance(part, ast.Call) or not (kind := self._kind(part, where)):
                continue
            if self._refuses(type_, kind) and not self._is_also(part, type_, where):
                yield Misplaced(part, where, fate, kind)

    def _refuses(self, declared: Type, kind: Kind) -> bool:
        if declared == UNKNOWN or not refuses(self._unit, declared):
            return False
        for member in members_of(declared):
            if not isinstance(member, Instance):
                continue
            if _is_protocol(member) and not (kind.is_lazy and self._wants_more(member)):
                return False
            # Of what is eager, classes of others may well be made.
            if not kind.is_lazy and member.cls.module.name != "builtins":
                return False
        return True

    def _wants_more(self, protocol: Instance) -> bool:
        """Whether a protocol has a member that no coroutine has, as `Iterable` has `__iter__`."""
        return any(
            name not in OF_COROUTINES
            for ancestor, _ in self._resolver.classes.ancestors(protocol.cls)
            if ancestor.qualified_name not in _EVERYTHING
            for name in (*ancestor.facts.functions, *ancestor.facts.variables)
        )

    def _is_also(self, call: ast.Call, declared: Type, scope: Scope) -> bool:
        """Whether the awaitable is, by the methods that it has, what is declared, too.

        A request can be awaited, and entered as an asynchronous context manager.
        """
        classes = [each.cls for each in members_of(declared) if isinstance(each, Instance)]
        names = [each.qualified_name for each in classes]
        given = members_of(self._resolver.type_of(call, scope))
        return bool(given) and all(
            isinstance(each, Instance)
            and any(protocols.content_as(self._resolver, each, name) is not None for name in names)
            for each in given
        )

    def _parts(
        self, value: ast.expr, declared: Type, scope: Scope
    ) -> Iterator[tuple[ast.expr, Type, Scope]]:
        """What a value is made of, each with the type that it is declared to have."""
        for each in possible_values(value):
            match each:
                case ast.Tuple(elements) if isinstance(declared, TupleType):
                    for element, type_ in zip(elements, declared.elements, strict=False):
                        yield from self._parts(element, type_, scope)
                case ast.Tuple(elements) | ast.List(elements) | ast.Set(elements):
                    type_ = protocols.iterated(self._resolver, declared)
                    for element in elements:
                        yield from self._parts(element, type_, scope)
                case ast.ListComp(element) | ast.SetComp(element):
                    type_ = protocols.iterated(self._resolver, declared)
                    yield from self._parts(element, type_, scope.child(each))
                case ast.Dict(_, values):
                    for element in values:
                        yield from self._parts(element, self._of_mapping(declared), scope)
                case ast.DictComp(_, element):
                    yield from self._parts(element, self._of_mapping(declared), scope.child(each))
                case _:
                    yield each, declared, scope

    def _of_mapping(self, declared: Type) -> Type:
        if not isinstance(declared, Instance):
            return UNKNOWN
        parts = self._resolver.classes.arguments_as(declared, "typing.Mapping") or ()
        return parts[1] if len(parts) > 1 else UNKNOWN

    # Places

    def _index(self, item: ast.Subscript, scope: Scope) -> Iterator[_Place]:
        if isinstance(self._resolver.type_of(item.value, scope), ClassObject):
            return
        for index in _bounds(item.slice):
            for call, where in _calls_in(index, scope):
                kind = self._kind(call, where)
                if kind and kind.is_lazy and call in set(possible_values(index)):
                    yield call, self._resolver.builtin("int"), "used as an index or key"

    def _is_for_decorators(self, function: Function) -> bool:
        """Whether a decorator may read what a function is declared to give, and await that."""
        where = enclosing_scope(function)
        return any(
            TRANSPARENT.isdisjoint(self._resolver.names_of_text(each, where))
            for each in function.facts.decorators
        )

    def _stated(self, statement: ast.stmt, scope: Scope) -> Iterator[_Place]:
        match statement:
            case ast.Return(ast.expr() as value):
                function = scope.function
                # In asynchronous functions, what is returned as a whole is LCX109's business.
                is_part = isinstance(value, _DISPLAYS)
                if function and not function.facts.is_generator:
                    if function.facts.is_async and not is_part:
                        return
                    returns = " ".join(function.facts.returns.split())
                    fate = f"returned where `{_short(returns)}` is declared"
                    declared = declared_result(self._unit, scope)
                    is_other = self._is_for_decorators(function)
                    if not is_other and not is_declared_for_one_mode(self._unit, scope, declared):
                        yield value, declared, fate
            case ast.AnnAssign(target, annotation, ast.expr() as value):
                if not isinstance(target, ast.Name) or scope.is_class_body or not scope.node:
                    declared = annotation_types.evaluate(self._resolver, annotation, scope)
                    yield value, declared, f"kept where `{_text(annotation)}` is declared"
            case ast.Assign(targets, value):
                for each in targets:
                    if isinstance(each, ast.Attribute):
                        declared, text = declared_attribute(self._unit, each, scope)
                        yield value, declared, f"kept in `{_text(each)}`, declared `{_short(text)}`"
                        yield from self._beside_first(value, each, scope)
                    elif isinstance(each, ast.Subscript):
                        declared = declared_item(self._unit, each, scope)
                        yield value, declared, f"kept in `{_text(each)}`, declared otherwise"

    def _beside_first(
        self, value: ast.expr, target: ast.Attribute, scope: Scope
    ) -> Iterator[_Place]:
        """`self.errors = check()`, where `self.errors = {}` makes it, and nothing awaits it."""
        for call, where in _calls_in(value, scope):
            kind = self._kind(call, where)
            if kind and kind.is_lazy and call in set(possible_values(value)):
                yield (
                    call,
                    first_value(self._unit, target, scope),
                    (f"kept in `{_text(target)}`, which is no coroutine at first"),
                )

    def _needed(self, call: ast.Call, scope: Scope) -> Iterator[_Place]:
        """The arguments of which the function uses the value, whatever is declared."""
        for argument, fate in values_needed(self._unit, call, scope, Kind.COROUTINE):
            if isinstance(argument, ast.Call):
                kind = self._kind(argument, scope)
                if kind is not None and kind.is_lazy:
                    yield argument, self._resolver.builtin("str"), fate

    def _given(self, call: ast.Call, scope: Scope) -> Iterator[_Place]:
        """The arguments of a call, if it is known where they go."""
        name = _text(call.func)
        reached = members_of(self._resolver.type_of(call.func, scope))
        if len(reached) == 1 and isinstance(reached[0], ClassObject):
            made = reached[0].cls
            fields = given_for_fields(self._unit, call, made)
            if fields is not None:
                for field, declared_type, value in fields:
                    yield value, declared_type, f"given to `{name}()` for the field `{field}`"
                return
            if made.module.name == "builtins" and self._is_shown(made):
                for argument in call.args:
                    yield argument, self._resolver.builtin("str"), f"made a part of `{name}()`"
                return
        names = self._resolver.names(call.func, scope)
        if any(takes_plain_values(each) for each in names):
            for argument in call_arguments(call):
                yield argument, self._resolver.builtin("str"), f"passed to `{name}()`"
            return
        yield from self._needed(call, scope)
        for argument, declared in given_for_parameters(self._unit, call, scope).items():
            first = declared[0][1]
            said = f"{first.name}: {' '.join(first.annotation.split())}"
            types = union_of(type_ for type_, _ in declared)
            yield argument, types, f"passed to `{name}()` for `{_short(said)}`"

    def _is_shown(self, cls: Class) -> bool:
        """Whether a built-in exception only shows what it is given."""
        is_exception = self._resolver.classes.has_ancestor(cls, _EXCEPTION)
        return is_exception and cls.name not in _CARRIERS


def _bounds(index: ast.expr) -> list[ast.expr]:
    """What an element is asked for by: an index or key, or the bounds of a slice."""
    if isinstance(index, ast.Slice):
        return [each for each in (index.lower, index.upper, index.step) if each]
    return [index]


def _calls_in(value: ast.expr, scope: Scope) -> Iterator[tuple[ast.Call, Scope]]:
    """The calls that a value may come from, or be made of."""
    for each in possible_values(value):
        match each:
            case ast.Call():
                yield each, scope
            case ast.Tuple(elements) | ast.List(elements) | ast.Set(elements):
                for element in elements:
                    yield from _calls_in(element, scope)
            case ast.Dict(_, values):
                for element in values:
                    yield from _calls_in(element, scope)
            case ast.ListComp(element) | ast.SetComp(element) | ast.DictComp(_, element):
                yield from _calls_in(element, scope.child(each))


def _is_protocol(instance: Instance) -> bool:
    return any("Protocol" in base for base in instance.cls.facts.bases)


def _text(node: ast.expr) -> str:
    return _short(one_line(node))


def _short(annotation: str) -> str:
    return shortened(annotation.strip("\"'"), _LONGEST)
