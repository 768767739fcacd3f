"""Local variables that hold an un-awaited result of a call, and how they are used."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.awaitables.expected_types import (
    answered_names,
    function_scope,
    refused_names,
    refuses,
)
from logctx_lint.analysis.awaitables.misused_values import (
    has_attribute,
    may_hold_presumed,
    presumed_kind,
    wrongly_used,
)
from logctx_lint.analysis.awaitables.parameter_values import needed_names
from logctx_lint.analysis.awaitables.value_uses import Usage, Use, uses, uses_of
from logctx_lint.analysis.possible_values import possible_elements, put_into
from logctx_lint.analysis.units import Unit
from logctx_lint.inference.types import (
    UNKNOWN,
    ClassObject,
    Instance,
    Kind,
    Presumed,
    TupleType,
    Type,
    members_of,
    union_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    body_nodes,
    child_blocks,
    declared_outer,
    is_name,
)

_ENTRIES = frozenset({"__aenter__", "__aexit__", "__enter__", "__exit__"})
_HARMLESS = frozenset({Usage.TRUTH, Usage.IDENTITY, Usage.EQUALITY, Usage.MEMBER, Usage.TEXT})
"""What can be done with an awaitable that may also be None, or is only shown."""
_OF_ELEMENTS = frozenset({"sum", "max", "min", "sorted"})
"""Built-in functions that calculate with elements, or compare them with one another."""
_COLLECTIONS = frozenset({"deque", "dict", "list", "set"})
_SEE_ALL_LOCALS = frozenset({"locals", "vars", "eval", "exec"})


_Conditions = tuple[tuple[ast.expr, bool], ...]
"""What is tested around a statement, and how that came out."""


@dataclass(frozen=True, eq=False)
class Named:
    """A local name that is bound to what a call gives, which is an awaitable."""

    name: str
    call: ast.Call
    statement: ast.stmt
    scope: Scope
    kind: Kind
    conditions: frozenset[tuple[str, bool]]
    """What holds where it is bound: conditions around it, as text, and whether they are true."""
    is_element: bool = False
    """The name holds a collection of such."""
    is_added: bool = False
    """It is put into the collection, which begins empty."""


@dataclass(frozen=True, slots=True)
class Uses:
    """The uses of names that do not consume the awaitable which they hold."""

    idle: frozenset[ast.Name]
    """It is shown, compared or tested, or nothing at all is done with it."""
    wrong: frozenset[ast.Name]
    """It is taken for the value that it would give."""
    awaited: frozenset[str]
    """Names that something awaits."""
    told_apart: frozenset[ast.Name]
    """Names that `isinstance` asks whether they are something that is not known to be awaitable."""


def named_awaitables(unit: Unit) -> dict[Scope, list[Named]]:
    """The names in each function of a unit that are bound to awaitables and seen nowhere else."""
    found: dict[Scope, list[Named]] = {}
    for node, scope in unit.scopes.items() if unit.possible_awaitables else ():
        bound = list(_bound(unit, scope, node.body, ()))  # type: ignore[attr-defined]
        hidden = _seen_elsewhere(unit, node) | _read_as_another(node) if bound else set()
        grown = _grown(node) if any(each.is_element for each in bound) else set()
        named = [
            each
            for each in bound
            if each.name not in hidden and not (each.is_element and each.name in grown)
        ]
        if named:
            found[scope] = named
    return found


def _bound(
    unit: Unit, scope: Scope, body: list[ast.stmt], conditions: _Conditions
) -> Iterator[Named]:
    """The names that the statements of a block bind so, and those of the blocks inside."""
    for statement in body:
        for name, value in _assigned(statement):
            if name != "_":  # Dropped, which LCX101 reports.
                yield from _bound_to(unit, scope, statement, name, value, conditions)
        added = _added(statement)
        if added and _begins_empty(added[0], scope):
            kind = _kind(unit, "", added[1], scope)
            if kind and kind.is_lazy:
                name, call = added
                yield Named(name, call, statement, scope, kind, frozenset(), True, True)
        if isinstance(statement, ast.If):
            test = statement.test
            yield from _bound(unit, scope, statement.body, (*conditions, (test, True)))
            yield from _bound(unit, scope, statement.orelse, (*conditions, (test, False)))
        elif not isinstance(statement, FunctionNode | ast.ClassDef):
            for block in child_blocks(statement):
                yield from _bound(unit, scope, block, conditions)


def _bound_to(
    unit: Unit,
    scope: Scope,
    statement: ast.stmt,
    name: str,
    value: ast.expr,
    conditions: _Conditions,
) -> Iterator[Named]:
    """The awaitables that a value may be, or the first that it holds."""
    for call, inner in _calls(value, conditions):
        kind = _kind(unit, name, call, scope)
        if kind:
            known = frozenset[tuple[str, bool]]().union(*(facts_of(*one) for one in inner))
            yield Named(name, call, statement, scope, kind, known)
    for call, where in _elements(value, scope):
        kind = _kind(unit, "", call, where)
        if kind and kind.is_lazy:
            # Another rule reports tasks in a collection that nobody reads.
            yield Named(name, call, statement, scope, kind, frozenset(), is_element=True)
            break


def _added(statement: ast.stmt) -> tuple[str, ast.Call] | None:
    """The collection that a statement puts what a call gives into: `jobs.append(f())`."""
    match put_into(statement.value if isinstance(statement, ast.Expr) else statement):
        case (ast.Name(name), ast.Call() as call):
            return name, call
    return None


def _begins_empty(name: str, scope: Scope) -> bool:
    """Whether a name only ever holds a collection that is made in the function, and empty."""
    bindings = scope.bindings.get(name, ())
    return bool(bindings) and all(
        each.kind in ("value", "annotation") and not each.path and _is_empty(each.value)
        for each in bindings
    )


def _is_empty(value: ast.expr | None) -> bool:
    match value:
        case ast.List([]) | ast.Dict([]):
            return True
        case ast.Call(ast.Name(name), [], []):
            return name in _COLLECTIONS
    return False


def _assigned(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """The names that a statement binds, with what each is bound to."""
    match statement:
        case ast.Assign([ast.Name(name)], value):
            yield name, value
        case ast.Assign([ast.Name(name), *others], value):
            # What several names hold is only seen through where one of them is never read.
            if all(isinstance(each, ast.Name) for each in others):
                yield name, value
        case ast.Expr(ast.NamedExpr(ast.Name(name), value)):
            yield name, value
        case ast.AnnAssign(ast.Name(name), _, ast.expr() as value):
            yield name, value
        case ast.Assign(
            [ast.Tuple(targets) | ast.List(targets)], ast.Tuple(values) | ast.List(values)
        ) if len(targets) == len(values):
            if not any(isinstance(each, ast.Starred) for each in (*targets, *values)):
                for target, value in zip(targets, values, strict=True):
                    if isinstance(target, ast.Name):
                        yield target.id, value


def _calls(value: ast.expr, conditions: _Conditions) -> Iterator[tuple[ast.Call, _Conditions]]:
    """The calls that a value may come from, and the conditions under which it does."""
    match value:
        case ast.Call():
            yield value, conditions
        case ast.IfExp(test, body, orelse):
            yield from _calls(body, (*conditions, (test, True)))
            yield from _calls(orelse, (*conditions, (test, False)))
        case ast.BoolOp(ast.Or(), values):
            passed = tuple((each, False) for each in values[:-1])
            yield from _calls(values[-1], (*conditions, *passed))
        case ast.NamedExpr(_, inner):
            yield from _calls(inner, conditions)


def _elements(value: ast.expr, scope: Scope) -> Iterator[tuple[ast.Call, Scope]]:
    """The calls that the elements of a display or comprehension may come from."""
    if isinstance(value, ast.ListComp | ast.SetComp | ast.DictComp):
        scope = scope.child(value)
    elif not isinstance(value, ast.List | ast.Tuple | ast.Set | ast.Dict | ast.BinOp):
        return
    for each in possible_elements(value):
        if isinstance(each, ast.Call):
            yield each, scope


def facts_of(test: ast.expr, truth: bool = True) -> frozenset[tuple[str, bool]]:
    """What is known, piece by piece, where a condition is true (or false)."""
    match test:
        case ast.UnaryOp(ast.Not(), operand):
            return facts_of(operand, not truth)
        case ast.BoolOp(operator, values) if isinstance(operator, ast.And) is truth:
            return frozenset().union(*(facts_of(value, truth) for value in values))
        case ast.Compare(left, [ast.IsNot() | ast.NotEq()], [right]):
            return frozenset({(_comparison(left, right), not truth)})
        case ast.Compare(left, [ast.Is() | ast.Eq()], [right]):
            return frozenset({(_comparison(left, right), truth)})
    return frozenset({(ast.unparse(test), truth)})


def _comparison(left: ast.expr, right: ast.expr) -> str:
    return f"{ast.unparse(left)} == {ast.unparse(right)}"


def _kind(unit: Unit, name: str, call: ast.Call, scope: Scope) -> Kind | None:
    """The kind of awaitable that a call gives; None also where it only makes an object."""
    if call not in unit.possible_awaitables:
        return None
    resolver = unit.file.resolver
    # The type of a binding is remembered; other rules ask for it, too.
    values = (each for each in scope.bindings.get(name, ()) if each.kind == "value")
    binding = next((each for each in values if each.value is call), None)
    type_ = resolver.bindings.type_of(binding, scope) if binding else resolver.type_of(call, scope)
    if isinstance(type_, Presumed):
        return presumed_kind(unit, type_) if may_hold_presumed(scope, [call]) else None
    answer = resolver.awaitability(type_)
    if not answer.is_certain:
        return None
    callees = resolver.type_of(call.func, scope)
    if isinstance(callees, ClassObject) or unit.file.summaries.may_give_else(callees):
        return None
    return None if _is_awaitable_besides(type_, answer.kind) else answer.kind


def _is_awaitable_besides(type_: Type, kind: Kind) -> bool:
    """Whether it is of a class of one's own, or one of a library, which allows more: a query can be
    refined before it is awaited."""
    modules = [each.cls.module for each in members_of(type_) if isinstance(each, Instance)]
    return any(not each.is_stub or (each.is_partial and kind is Kind.AWAITABLE) for each in modules)


def _seen_elsewhere(unit: Unit, function: ast.AST) -> set[str]:
    """Names that nested functions use, and those that are not, or not only, the function's own."""
    found: set[str] = set()
    for node in body_nodes(function):  # type: ignore[call-overload]
        match node:
            case ast.Global(names) | ast.Nonlocal(names):
                found.update(names)
            case ast.Call(ast.Name(name)) if name in _SEE_ALL_LOCALS:
                found |= _names_in(function)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                found |= _names_in(node) - _own_names(unit, node)
            case ast.Lambda() | ast.ClassDef():
                found |= _names_in(node)
    return found


def _grown(function: ast.AST) -> set[str]:
    """The names of collections that something is added to: `jobs += [f()]`."""
    return {
        node.target.id
        for node in body_nodes(function)  # type: ignore[call-overload]
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name)
    }


def _read_as_another(function: ast.AST) -> set[str]:
    """The first names of `a = b = f()` of which another one is read."""
    found: set[str] = set()
    read: set[str] | None = None
    for node in body_nodes(function):  # type: ignore[call-overload]
        match node:
            case ast.Assign([ast.Name(name), *others]) if others:
                if read is None:
                    read = {
                        each.id
                        for each in all_nodes(function, ast.Name)
                        if isinstance(each.ctx, ast.Load)
                    }
                if any(isinstance(each, ast.Name) and each.id in read for each in others):
                    found.add(name)
    return found


def _names_in(node: ast.AST) -> set[str]:
    return {each.id for each in all_nodes(node, ast.Name)}


def _own_names(unit: Unit, node: FunctionNode) -> set[str]:
    """What a nested function binds itself."""
    return set(unit.scopes[node].bindings) - declared_outer(body_nodes(node))


def uses_in(unit: Unit, scope: Scope, named: list[Named]) -> Uses:
    """What is done with names in a function that does nothing about the awaitable they may hold."""
    kinds = {each.name: each.kind for each in named}
    collections = {each.name for each in named if each.is_element}
    idle, wrong = _by_use(unit, scope, kinds, collections)
    wrong |= _taken_for_values(unit, scope, kinds, collections)
    idle |= _alone(unit, scope)
    if any(each.is_added for each in named):
        idle.update(_receivers(unit, scope))
    told_apart: set[ast.Name] = set()
    for name, class_ in _asked_for_class(unit, scope, set(kinds)):
        if refuses(unit, class_):
            idle.add(name)
        if not any(unit.file.resolver.awaitability(each).is_certain for each in members_of(class_)):
            told_apart.add(name)
    waits = [node.value for node, _ in unit.nodes(ast.Await)]
    waits += [node.value for node, _ in unit.nodes(ast.Yield) if node.value]
    awaited = {node.id for node in waits if isinstance(node, ast.Name)}
    return Uses(frozenset(idle), frozenset(wrong), frozenset(awaited), frozenset(told_apart))


def _taken_for_values(
    unit: Unit, scope: Scope, kinds: dict[str, Kind], collections: set[str]
) -> set[ast.Name]:
    """Names that stand where only the value is wanted that awaiting them gives."""
    single = kinds.keys() - collections
    is_plain = scope.function is None or not scope.function.facts.is_async
    returned = {each.value for each, _ in unit.statements if isinstance(each, ast.Return)}
    refused = {
        name
        for name in refused_names(unit, scope, single)
        if not (is_plain and name in returned and _is_meant(name.id, kinds, scope))
    }
    lazy = {name for name in single if kinds[name].is_lazy}
    return {
        *refused,
        *answered_names(unit, scope, lazy),
        *needed_names(unit, scope, {name: kinds[name] for name in single}),
        *_summed(unit, scope, collections),
    }


def _is_meant(name: str, kinds: dict[str, Kind], scope: Scope) -> bool:
    """Whether a name may well be returned by a plain function, whatever that is declared to give.

    The caller has what runs already; and one that is declared, as `Any` say, was thought of.
    """
    return not kinds[name].is_lazy or any(
        each.kind == "annotation" for each in scope.bindings.get(name, ())
    )


def _by_use(
    unit: Unit, scope: Scope, kinds: dict[str, Kind], collections: set[str]
) -> tuple[set[ast.Name], set[ast.Name]]:
    """The names whose uses do nothing about them, and those that are taken for a value."""
    idle: set[ast.Name] = set()
    wrong: set[ast.Name] = set()
    handed_on = set(_handed_on(unit))
    for use in uses_of(unit, kinds.keys()):
        name = use.node
        if not isinstance(name, ast.Name) or function_scope(use.scope) is not scope:
            continue
        if name in handed_on:
            continue
        if name.id in collections:
            if use.how in _HARMLESS or use.how is Usage.LENGTH:
                idle.add(name)
            continue
        is_wrong = _is_wrong(unit, use, kinds[name.id])
        if is_wrong is not None:
            (wrong if is_wrong else idle).add(name)
    return idle, wrong


def _is_wrong(unit: Unit, use: Use, kind: Kind) -> bool | None:
    """Whether a use takes an awaitable for a value; None if it may be meant as it is."""
    if use.how is Usage.ATTRIBUTE and has_attribute(unit, kind, use.attribute):
        return None  # Whoever asks for it knows what it is.
    if use.attribute in _ENTRIES:
        return None  # Entered by hand, as `async with` does.
    if wrongly_used(use, unit) is not None:
        return True
    if use.how in (Usage.ENTER, Usage.ASYNC_ENTER):
        return None  # An asynchronous context manager that can be awaited, too.
    if use.how is Usage.CALL and kind is Kind.AWAITABLE:
        return None  # A function that gives one may be declared so.
    return use.how not in _HARMLESS


def _alone(unit: Unit, scope: Scope) -> set[ast.Name]:
    """Names that stand alone as a statement."""
    found: set[ast.Name] = set()
    for statement, where in unit.statements:
        match statement:
            case ast.Expr(ast.Name() as value) if where is scope:
                found.add(value)
            case ast.Assign([ast.Name("_")], ast.Name() as value) if where is scope:
                found.add(value)
    return found


def _receivers(unit: Unit, scope: Scope) -> Iterator[ast.Name]:
    """The names of collections that a statement puts something into."""
    for statement, where in unit.statements:
        put = put_into(statement.value if isinstance(statement, ast.Expr) else statement)
        if put is not None and isinstance(put[0], ast.Name) and where is scope:
            yield put[0]


def _asked_for_class(unit: Unit, scope: Scope, names: set[str]) -> Iterator[tuple[ast.Name, Type]]:
    """Names that `isinstance` asks about, with what it asks for."""
    resolver = unit.file.resolver
    for call, where in unit.nodes(ast.Call):
        match call:
            case ast.Call(ast.Name("isinstance"), [ast.Name(name) as asked, classes]):
                if name in names and function_scope(where) is scope:
                    found = resolver.type_of(classes, where)
                    options = found.elements if isinstance(found, TupleType) else (found,)
                    instances = (
                        Instance(each.cls) if isinstance(each, ClassObject) else UNKNOWN
                        for each in options
                    )
                    yield asked, union_of(instances)


def _summed(unit: Unit, scope: Scope, names: set[str]) -> Iterator[ast.Name]:
    """Collections whose elements are calculated with, or compared with one another."""
    for call, where in unit.nodes(ast.Call) if names else ():
        if call.keywords or function_scope(where) is not scope:
            continue
        match call:
            case ast.Call(ast.Name(done), [ast.Name(name) as summed]) if done in _OF_ELEMENTS:
                resolver = unit.file.resolver
                if name in names and f"builtins.{done}" in resolver.names(call.func, where):
                    yield summed


def _handed_on(unit: Unit) -> Iterator[ast.expr]:
    """What `a or b` not only tests but gives: it is no condition itself."""
    conditions: list[ast.expr] = []
    for kind in (ast.If, ast.While, ast.IfExp, ast.Assert):
        conditions += [node.test for node, _ in unit.nodes(kind)]  # type: ignore[attr-defined]
    tested = {inner for test in conditions for inner in all_nodes(test)}
    for node, _ in unit.nodes(ast.BoolOp):
        if isinstance(node.op, ast.Or) and node not in tested:
            yield from node.values


def is_used_as_value(unit: Unit, named: Named) -> bool:
    """Whether LCX103 flags a use of the name, which says all that there is to say."""
    return any(
        is_name(use.node, named.name)
        and function_scope(use.scope) is named.scope
        and wrongly_used(use, unit) is not None
        for use in uses(unit)
    )
