"""Whether a value comes from shared state: an attribute, a global, a container kept in one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.possible_values import put_into_name
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.class_members import PROPERTIES, enclosing_scope
from logctx_lint.inference.implementations import implementations
from logctx_lint.inference.narrowing import dotted
from logctx_lint.inference.resolver import Resolver
from logctx_lint.inference.types import (
    UNKNOWN,
    ClassObject,
    FunctionType,
    Instance,
    members_of,
)
from logctx_lint.inference.use_def import Binding, Comprehension, Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Class, Function
from logctx_lint.syntax.ast_walk import (
    Position,
    assigned,
    body_nodes,
    declared_outer,
    is_name,
    is_none,
    returned_values,
    start_of,
)

LOOK_UPS = frozenset({"get", "setdefault"})
"""Methods of a mapping that give an element and leave it there."""
VIEWS = frozenset({"values", "items", "copy"})
COPIES = frozenset({"list", "tuple", "set", "frozenset", "sorted", "reversed", "enumerate"})
_FACTORIES = 3
"""How many functions may hand on what the last of them makes."""
_CACHED = frozenset({"functools.cached_property"})
_DEFERRED = "twisted.internet.defer.Deferred"


@dataclass(frozen=True, slots=True)
class Sharing:
    """Answers where an expression takes its value from."""

    resolver: Resolver

    def place(self, node: ast.expr, scope: Scope) -> str | None:
        """The shared place that a value comes from, in words; None if nobody else has it."""
        match node:
            case ast.Attribute():
                return self._attribute(node, scope)
            case ast.Subscript(value, _):
                return self.container(value, scope)
            case ast.Call(ast.Attribute(value, name)) if name in LOOK_UPS:
                return self.container(value, scope) if self._is_mapping(value, scope) else None
            case ast.Name():
                return self._name(node, scope)
            case ast.IfExp(_, body, orelse):
                return self.place(body, scope) or self.place(orelse, scope)
            case ast.BoolOp(_, values):
                return next((place for v in values if (place := self.place(v, scope))), None)
            case ast.NamedExpr(_, value):
                return self.place(value, scope)
        return None

    def container(self, node: ast.expr, scope: Scope) -> str | None:
        """The same of something that holds the value: a dict, a list, a view or copy of one."""
        match node:
            case ast.Attribute(value, name):
                if self._is_new(value, scope) or _assignments(node, scope):
                    return None
                return f"the attribute `{name}`"
            case ast.Name(name):
                inner = _home(name, scope)
                if inner is None:
                    return _outer_place(name, scope)
                values = [b.value for b in inner.reaching_name(node) if b.kind == "value"]
                places = (self.container(value, inner) for value in values if value)
                return next((place for place in places if place), None)
            case ast.Subscript(value, _):
                return self.container(value, scope)
            case ast.Call(ast.Attribute(value, name)) if name in LOOK_UPS | VIEWS:
                return self.container(value, scope) if self._is_mapping(value, scope) else None
            case ast.Call(ast.Name(name), [value, *_]) if name in COPIES:
                return self.container(value, scope)
        return None

    def is_own(self, node: ast.expr, scope: Scope) -> bool:
        """Whether the attributes of an object belong to the running call, which has made it."""
        return self._is_new(node, scope)

    def _attribute(self, node: ast.Attribute, scope: Scope) -> str | None:
        if self._is_new(node.value, scope) or self._was_assigned(node, scope):
            return None
        owners = self.resolver.classes.owners(self.resolver.type_of(node.value, scope))
        for owner in owners:
            functions = owner.function(node.attr)
            if functions:
                return self._property(functions[-1])
            if node.attr in owner.facts.variables:
                break
        if _has_canceller(self.resolver, owners, node.attr):
            return None
        return f"the attribute `{node.attr}`"

    def _property(self, function: Function) -> str | None:
        """What a property gives is as shared as where it takes that from."""
        names = {
            name
            for decorator in function.facts.decorators
            for name in self.resolver.names_of_text(decorator, enclosing_scope(function))
        }
        if names & _CACHED:
            return f"the attribute `{function.name}`"
        node = function.tree() if names & PROPERTIES and not function.module.is_stub else None
        if node is None:
            return None
        scope = Scope.of_body(function, node)
        finished = set(_given_when_done(node))
        given = (value for value in returned_values(node) if value not in finished)
        places = (self.place(value, scope) for value in given)
        return next((place for place in places if place), None)

    def _name(self, node: ast.Name, scope: Scope) -> str | None:
        """What a name takes its value from: other places through its bindings, or itself."""
        home = _home(node.id, scope)
        if home is None:
            return None if self._was_assigned(node, scope) else _outer_place(node.id, scope)
        for binding in home.reaching_name(node):
            place = self._bound(binding, node, home)
            if place:
                return place
        return None

    def _bound(self, binding: Binding, use: ast.Name, scope: Scope) -> str | None:
        value = binding.value
        if value is None:
            return None
        if binding.kind == "element":
            return self.container(value, scope)
        if binding.kind != "value":
            return None
        if binding.path:
            if not isinstance(value, ast.Tuple) or binding.path[0] >= len(value.elts):
                return None
            value = value.elts[binding.path[0]]
        if is_name(value, use.id):
            return None
        return None if _taken_out(value, binding, use, scope) else self.place(value, scope)

    def _was_assigned(self, node: ast.Attribute | ast.Name, scope: Scope) -> bool:
        """Whether the function itself has put a new value there, on every path to here."""
        return any(
            isinstance(value, ast.Call | ast.Name) and self.place(value, scope) is None
            for value in _assignments(node, scope)
        )

    def _is_new(self, node: ast.expr, scope: Scope, detour: int = _FACTORIES) -> bool:
        """Whether an object was made in this very call, so that nobody else has it yet."""
        values: list[tuple[ast.expr | None, tuple[int, ...]]] = []
        if isinstance(node, ast.Call):
            values.append((node, ()))
        elif isinstance(node, ast.Attribute):
            values += [(value, ()) for value in _assignments(node, scope)]
        elif isinstance(node, ast.Name):
            home = _home(node.id, scope)
            bindings = home.reaching_name(node) if home else []
            if home and bindings and all(each.kind == "element" for each in bindings):
                return all(self._holds_new(each.value, home, detour) for each in bindings)
            values += [(each.value, tuple(each.path)) for each in bindings]
        return bool(values) and all(self._makes_new(*value, scope, detour) for value in values)

    def _holds_new(self, node: ast.expr | None, scope: Scope, detour: int) -> bool:
        """Whether a local list or set is filled here, with objects that were made here alone."""
        home = _home(node.id, scope) if isinstance(node, ast.Name) else None
        if (
            home is None
            or not isinstance(node, ast.Name)
            or not isinstance(home.node, FunctionNode)
        ):
            return False
        added = list(put_into_name(node.id, home.node))
        bound = [each.value for each in home.bindings[node.id]]
        comprehended = [each.elt for each in bound if isinstance(each, ast.ListComp | ast.SetComp)]
        return (
            bool(added or comprehended)
            and all(
                _is_empty(each) or isinstance(each, ast.ListComp | ast.SetComp) for each in bound
            )
            and all(self._is_new(each, home, detour) for each in added)
            and all(self._makes_new(each, (), home, detour) for each in comprehended)
        )

    def _makes_new(
        self, value: ast.expr | None, path: tuple[int, ...], scope: Scope, detour: int
    ) -> bool:
        """Whether an expression calls a class, or a function that gives a new object.

        Of a tuple that is taken apart, the `path` says which element is meant.
        """
        if isinstance(value, ast.Await):
            value = value.value
        if not isinstance(value, ast.Call):
            return False
        called = members_of(self.resolver.type_of(value.func, scope))
        known = [each for each in called if each != UNKNOWN]
        return bool(known) and all(
            (isinstance(each, ClassObject) and not path)
            or (
                detour > 0
                and isinstance(each, FunctionType)
                and all(
                    self._gives_new(function, path, detour - 1)
                    for function in implementations(self.resolver, each.function)
                )
            )
            for each in known
        )

    def _gives_new(self, function: Function, path: tuple[int, ...], detour: int) -> bool:
        """Whether a function without decorators returns an object that it has made itself."""
        facts = function.facts
        if facts.is_generator or facts.decorators or function.module.is_stub:
            return False
        node = function.tree()
        if node is None:
            return False
        scope = Scope.of_body(function, node)
        given = [_element(each, path) for each in returned_values(node) if not is_none(each)]
        is_looked_into = bool(path) or facts.is_async
        return bool(given) and all(
            value is not None
            and not (is_looked_into and _is_put_away(value, node))
            and (self._is_new(value, scope, detour) or self._makes_new(value, (), scope, detour))
            for value in given
        )

    def _is_mapping(self, node: ast.expr, scope: Scope) -> bool:
        """Whether a look-up in `node` takes out something that stays in it."""
        return any(
            isinstance(member, Instance)
            and self.resolver.classes.arguments_as(member, "typing.Mapping") is not None
            for member in members_of(self.resolver.type_of(node, scope))
        )


def _is_empty(node: ast.expr | None) -> bool:
    """`[]`, `set()`."""
    match node:
        case ast.List([]):
            return True
        case ast.Call(ast.Name("list" | "set"), [], []):
            return True
    return False


def _given_when_done(function: FunctionNode) -> Iterator[ast.expr]:
    """`if self._closing.done(): return self._closing`: nobody can cancel that any more."""
    for node in body_nodes(function):
        match node:
            case ast.If(
                ast.Call(ast.Attribute(asked, "done"), []), [ast.Return(ast.expr() as value)]
            ):
                if dotted(value) == dotted(asked):
                    yield value


def _element(value: ast.expr, path: tuple[int, ...]) -> ast.expr | None:
    """What stands at a place of a tuple of tuples."""
    for index in path:
        if not isinstance(value, ast.Tuple) or index >= len(value.elts):
            return None
        value = value.elts[index]
    return value


def _is_put_away(value: ast.expr, function: FunctionNode) -> bool:
    """Whether a function puts what a local name holds where others find it."""
    if not isinstance(value, ast.Name):
        return False
    for node in body_nodes(function):
        match node:
            case ast.Assign(targets, ast.Name(name)) if name == value.id:
                if any(isinstance(each, ast.Attribute | ast.Subscript) for each in targets):
                    return True
            case ast.Call(ast.Attribute(ast.Attribute()), arguments):
                if any(is_name(each, value.id) for each in arguments):
                    return True
    return False


def _has_canceller(resolver: Resolver, owners: list[Class], name: str) -> bool:
    """Whether an attribute only ever holds `Deferred(canceller)`: cancelling it is provided for."""
    made = []
    for owner in owners:
        for item in owner.facts.variables.get(name, ()):
            value = parse_expression(item.value)
            if isinstance(value, ast.Call):
                names = resolver.names(value.func, Scope(owner.module))
                made.append(_DEFERRED in names and bool(value.args))
            elif value is not None and not isinstance(value, ast.Constant):
                made.append(False)
    return bool(made) and all(made)


def _home(name: str, scope: Scope) -> Scope | None:
    """The scope of the running function in which a name is local; None if it is not."""
    while isinstance(scope.node, Comprehension) and name not in scope.bindings and scope.parent:
        scope = scope.parent
    if scope.node is None or name not in scope.bindings or _is_declared_outer(name, scope):
        return None
    return scope


def _is_declared_outer(name: str, scope: Scope) -> bool:
    """`global name`, `nonlocal name`."""
    return isinstance(scope.node, FunctionNode) and name in declared_outer(body_nodes(scope.node))


def _outer_place(name: str, scope: Scope) -> str | None:
    """Where a name that is not local is found."""
    outer = scope.parent
    while outer:
        if outer.node and name in outer.bindings and not _is_declared_outer(name, outer):
            kinds = {binding.kind for binding in outer.bindings[name]}
            return None if "parameter" in kinds else f"the closure variable `{name}`"
        outer = outer.parent
    return f"the variable `{name}`"


def _assignments(node: ast.expr, scope: Scope) -> list[ast.expr]:
    """The values that the function has put into a place on every path to `node`."""
    while isinstance(scope.node, Comprehension) and scope.parent:
        scope = scope.parent
    if not isinstance(scope.node, FunctionNode):
        return []
    place, text = (node.lineno, node.col_offset), ast.unparse(node)
    around = list(scope.block_at(place).chain())
    return [
        value
        for position, target, value in _targets(scope.node)
        if position < place
        and ast.unparse(target) == text
        and scope.block_at(position) in around
        and value is not None
    ][-1:]


def _targets(function: FunctionNode) -> Iterator[tuple[Position, ast.expr, ast.expr | None]]:
    """Everything that a function assigns to or deletes, with what it assigns."""
    for node in body_nodes(function):
        if isinstance(node, ast.Delete):
            yield from ((start_of(node), target, None) for target in node.targets)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            yield from ((start_of(node), target, value) for target, value in assigned(node))


def _taken_out(value: ast.expr, binding: Binding, use: ast.Name, scope: Scope) -> bool:
    """`d = self.d; self.d = None`, `d = cache[k]; del cache[k]`: nobody else finds it there now."""
    if not isinstance(value, ast.Attribute | ast.Subscript):
        return False
    if not isinstance(scope.node, FunctionNode):
        return False
    text = ast.unparse(value)
    around = list(scope.block_at((use.lineno, use.col_offset)).chain())
    start = (value.lineno, 0)
    return any(
        start <= position < (use.lineno, use.col_offset)
        and ast.unparse(target) == text
        and (new is None or is_none(new))
        and scope.block_at(position) in around
        for position, target, new in _targets(scope.node)
    )
