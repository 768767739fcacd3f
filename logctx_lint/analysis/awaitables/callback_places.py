"""Asynchronous functions put where a plain function is called: attributes, collections, operators.

filter(is_allowed, users)             # a coroutine is always true
sorted(users, key=rank)               # coroutines cannot be ordered
Options(on_done=notify)               # a field: Callable[[], None]
widget.on_click = notify              # declared in the class as Callable[[], None]
subscribe_all(notify)                 # def subscribe_all(*callbacks: Callable[[], None])
Tool(checks=[is_allowed])             # list[Callable[[User], bool]]
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from logctx_lint.analysis.awaitables.declared_targets import declared_attribute, declared_item
from logctx_lint.analysis.awaitables.dropping_callees import dropping
from logctx_lint.analysis.awaitables.expected_types import declared_result, given_for_fields, rest
from logctx_lint.analysis.callback_arguments import Taken, given_by, signatures
from logctx_lint.analysis.possible_values import possible_elements, possible_values
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference import annotation_types, protocols
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.class_members import signature_scope
from logctx_lint.inference.known_names import APPENDERS, KIND_TEST_NAMES
from logctx_lint.inference.passed_arguments import pairs
from logctx_lint.inference.types import (
    NONE,
    UNKNOWN,
    CallableType,
    Certainty,
    ClassObject,
    FunctionType,
    Instance,
    Type,
    members_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import Parameter
from logctx_lint.project.modules import Class
from logctx_lint.syntax.ast_walk import awaited_methods, call_arguments, last_name
from logctx_lint.syntax.source import Unreadable

_TRUTH = "tests what it returns, and a coroutine is always true"
_ORDER = "compares what it returns, which fails"
_VALUE = "needs the value that it would give, and fails"
_BY_POSITION = {
    "builtins.filter": (0, _TRUTH),
    "contextlib.AsyncExitStack.push": (0, _TRUTH),
    "contextlib.ExitStack.push": (0, _TRUTH),
    "contextlib._BaseExitStack.push": (0, _TRUTH),
    "functools.cmp_to_key": (0, _ORDER),
    "functools.reduce": (0, "hands what it returns, a coroutine, to the next call"),
    "itertools.accumulate": (1, "hands what it returns, a coroutine, to the next call"),
    "itertools.dropwhile": (0, _TRUTH),
    "itertools.filterfalse": (0, _TRUTH),
    "itertools.takewhile": (0, _TRUTH),
    "re.Pattern.sub": (0, _VALUE),
    "re.sub": (1, _VALUE),
}
"""Functions one of whose arguments is called for its value, and which."""
_BY_KEYWORD = {
    **dict.fromkeys(
        (
            ("bisect.bisect", "key"), ("bisect.bisect_left", "key"), ("bisect.bisect_right", "key"),
            ("bisect.insort", "key"), ("bisect.insort_left", "key"), ("bisect.insort_right", "key"),
            ("builtins.list.sort", "key"), ("builtins.max", "key"), ("builtins.min", "key"),
            ("builtins.sorted", "key"), ("heapq.merge", "key"), ("heapq.nlargest", "key"),
            ("heapq.nsmallest", "key"),
        ),
        _ORDER,
    ),
    ("itertools.groupby", "key"): "compares what it returns, and coroutines are never equal",
    **dict.fromkeys(
        (("json.dump", "default"), ("json.dumps", "default"), ("json.load", "object_hook"),
         ("json.loads", "object_hook")),
        _VALUE,
    ),
}  # fmt: skip
"""Functions, and the keyword of theirs that is called for its value."""
_OF_MAPPED = {
    "builtins.all": _TRUTH,
    "builtins.any": _TRUTH,
    "builtins.sum": "calculates with what it returns, which fails",
}
"""What is done with each value of a `map()`."""
_LAST_NAMES = frozenset(
    name.rpartition(".")[2]
    for name in (*_BY_POSITION, *_OF_MAPPED, *(name for name, _ in _BY_KEYWORD), "str.join")
)
_HOOKS = frozenset(
    {"sys.displayhook", "sys.excepthook", "sys.unraisablehook", "threading.excepthook"}
)
_TAKERS = frozenset({Role.CALLBACK_TAKER})
_COLLECTING = frozenset({"list", "tuple", "set", "frozenset"})


@dataclass(frozen=True, slots=True)
class MisplacedCallback:
    """A coroutine function where a plain one is called."""

    function: ast.expr
    scope: Scope
    what: str
    """Who calls it, or where it is kept, and what becomes of the coroutine."""


def misplaced_callbacks(unit: Unit) -> Iterator[MisplacedCallback]:
    """Every such function in a unit."""
    for function, scope, what in (*_places(unit), *_in_collections(unit), *_added(unit)):
        for each in possible_values(function):
            if may_be_asynchronous(unit, each) and _gives_coroutine(unit, each, scope):
                yield MisplacedCallback(each, scope, what)


def _gives_coroutine(unit: Unit, function: ast.expr, scope: Scope) -> bool:
    if isinstance(function, ast.Lambda | ast.Call):
        return False
    call = ast.Call(function, [], [])
    answer = given_by(unit.file, Taken(function, call, scope))
    return answer.is_certain and answer.kind.is_lazy


_Place = tuple[ast.expr, Scope, str]


def _places(unit: Unit) -> Iterator[_Place]:
    for call, scope in unit.nodes(ast.Call):
        if last_name(call.func) in _LAST_NAMES:
            yield from _called_for_value(unit, call, scope)
        given = call_arguments(call)
        if any(may_be_asynchronous(unit, each) for each in given):
            yield from _given(unit, call, scope)
    for statement, scope in unit.statements:
        match statement:
            case ast.Expr(value):
                mapped = _mapped(value)
                if (
                    mapped
                    and may_be_asynchronous(unit, mapped.args[0])
                    and "builtins.map" in unit.file.resolver.names(mapped.func, scope)
                ):
                    does = "awaits nothing, and what it makes is dropped"
                    yield mapped.args[0], scope, f"`map()` {does}"
            case ast.Assign(targets, value) if may_be_asynchronous(unit, value):
                for target in targets:
                    yield from _kept(unit, target, value, scope)
            case ast.Return(ast.expr() as value) if may_be_asynchronous(unit, value):
                if _drops(unit, declared_result(unit, scope)):
                    said = "it is returned where a plain function is declared"
                    yield value, scope, f"{said}, so that nobody awaits what it returns"


def _kept(unit: Unit, target: ast.expr, value: ast.expr, scope: Scope) -> Iterator[_Place]:
    match target:
        case ast.Attribute() if _is_hook(unit, target, scope):
            yield value, scope, f"`{ast.unparse(target)}` is called as a plain function"
        case ast.Attribute(_, name):
            declared, text = declared_attribute(unit, target, scope)
            if _drops(unit, declared) and not _is_awaited(unit, name, None):
                kept = f"`{ast.unparse(target)}` is declared as `{text}`"
                yield value, scope, f"{kept}, so that nobody awaits what it returns"
        case ast.Subscript(holder):
            if _drops(unit, declared_item(unit, target, scope)) and not _tells_apart(unit):
                kept = f"`{ast.unparse(holder)}` is declared to hold plain functions"
                yield value, scope, f"{kept}, so that nobody awaits what it returns"


def _is_hook(unit: Unit, target: ast.Attribute, scope: Scope) -> bool:
    """`sys.excepthook`, `client.on_message` of a library that calls it as a plain function."""
    if _HOOKS.intersection(unit.file.resolver.names(target, scope)):
        return True
    return unit.file.may_play(target, _TAKERS) and bool(unit.file.roles(target, scope) & _TAKERS)


def _in_collections(unit: Unit) -> Iterator[_Place]:
    """Functions in a list, set or dict that is declared to hold plain ones.

    `Tool(checks=[f])`, `checks: list[Callable[[str], bool]] = [f]`
    """
    for value, declared, scope in _declared_collections(unit):
        elements = [
            each
            for each in possible_elements(value)
            if not isinstance(each, ast.Starred) and may_be_asynchronous(unit, each)
        ]
        type_ = _element_type(unit, value, declared()) if elements else UNKNOWN
        if _drops(unit, type_) and not _tells_apart(unit):
            for element in elements:
                said = "it is kept among functions that are declared as plain ones"
                yield element, scope, f"{said}, so that nobody awaits what it returns"


def _added(unit: Unit) -> Iterator[_Place]:
    """Functions that are added to such a collection: `checks.append(f)`."""
    for call, scope in unit.nodes(ast.Call):
        match call:
            case ast.Call(ast.Attribute(receiver, name), [value]) if name in APPENDERS:
                pass
            case ast.Call(ast.Attribute(receiver, "insert"), [_, value]):
                pass
            case _:
                continue
        if may_be_asynchronous(unit, value) and not _tells_apart(unit):
            held = unit.file.resolver.type_of(receiver, scope)
            if _is_collection(held) and _drops(unit, protocols.iterated(unit.file.resolver, held)):
                said = f"`{ast.unparse(receiver)}` is declared to hold plain functions"
                yield value, scope, f"{said}, so that nobody awaits what it returns"


_COLLECTIONS = (ast.List, ast.Tuple, ast.Set, ast.Dict)
_Declared = Callable[[], Type]


def _declared_collections(unit: Unit) -> Iterator[tuple[ast.expr, _Declared, Scope]]:
    """The displays that are given for parameters or bound to names, with what is declared."""
    resolver = unit.file.resolver
    for call, scope in unit.nodes(ast.Call):
        if not any(isinstance(each, _COLLECTIONS) for each in call_arguments(call)):
            continue
        reached = members_of(resolver.type_of(call.func, scope))
        if len(reached) == 1 and isinstance(reached[0], ClassObject):
            for _, type_, argument in given_for_fields(unit, call, reached[0].cls) or ():
                yield argument, partial(_as_it_is, type_), scope
        callees = list(signatures(unit.file, call, scope))
        if len(callees) == len(reached) == 1:
            for parameter, argument in pairs(call, callees[0][1]):
                where = signature_scope(callees[0][0].function)
                yield argument, partial(_evaluated, unit, parameter.annotation, where), scope
    for statement, scope in unit.statements:
        match statement:
            case ast.AnnAssign(_, annotation, ast.expr() as value):
                yield (
                    value,
                    partial(annotation_types.evaluate, resolver, annotation, scope),
                    scope,
                )


def _as_it_is(declared: Type) -> Type:
    return declared


def _evaluated(unit: Unit, annotation: str, scope: Scope) -> Type:
    return annotation_types.evaluate(unit.file.resolver, parse_expression(annotation), scope)


def _element_type(unit: Unit, value: ast.expr, declared: Type) -> Type:
    """What a declared collection holds; of a mapping, its values."""
    resolver = unit.file.resolver
    if not _is_collection(declared):
        return UNKNOWN
    if isinstance(value, ast.Dict):
        parts = resolver.classes.arguments_as(declared, "typing.Mapping")  # type: ignore[arg-type]
        return parts[1] if parts and len(parts) > 1 else UNKNOWN
    return protocols.iterated(resolver, declared)


def _is_collection(declared: Type) -> bool:
    return isinstance(declared, Instance) and declared.cls.module.is_stub


def _tells_apart(unit: Unit) -> bool:
    """Whether the file looks what a function gives, or of which kind it is."""
    return not KIND_TEST_NAMES.isdisjoint(unit.file.last_names)


def _called_for_value(unit: Unit, call: ast.Call, scope: Scope) -> Iterator[_Place]:
    names = unit.file.resolver.names(call.func, scope)
    by = f"`{last_name(call.func)}()`"
    for name in names:
        index, does = _BY_POSITION.get(name, (len(call.args), ""))
        if index < len(call.args):
            yield call.args[index], scope, f"{by} {does}"
        for keyword in call.keywords:
            if (name, keyword.arg or "") in _BY_KEYWORD:
                does = _BY_KEYWORD[name, keyword.arg or ""]
                yield keyword.value, scope, f"{by} {does}"
        match call.args:
            case [ast.Call(ast.Name("map"), [function, *_])] if name in _OF_MAPPED:
                yield function, scope, f"{by} {_OF_MAPPED[name]}"
    match call:
        case ast.Call(
            ast.Attribute(ast.Constant(str() | bytes()), "join"),
            [ast.Call(ast.Name("map"), [function, *_])],
        ):
            yield function, scope, f"{by} {_VALUE}"


def _mapped(node: ast.expr) -> ast.Call | None:
    """`map(f, xs)`, if that is all that a statement makes: `list(map(f, xs))`, `[*map(f, xs)]`."""
    match node:
        case ast.Call(ast.Name("map"), [_, _, *_]):
            return node
        case ast.Call(ast.Name(name), [inner], []) if name in _COLLECTING:
            return _mapped(inner)
        case (ast.List([ast.Starred(inner)]) | ast.Tuple([ast.Starred(inner)])
              | ast.Set([ast.Starred(inner)])):  # fmt: skip
            return _mapped(inner)
    return None


def _given(unit: Unit, call: ast.Call, scope: Scope) -> Iterator[_Place]:
    """What is given for fields, for `*callbacks`, and for objects that are only to be called."""
    reached = members_of(unit.file.resolver.type_of(call.func, scope))
    if len(reached) != 1:
        return
    if isinstance(reached[0], ClassObject):
        made = reached[0].cls
        fields = given_for_fields(unit, call, made)
        if fields is not None:
            name = last_name(call.func)
            for field, declared, value in fields:
                if _drops(unit, declared) and not _is_awaited(unit, field, made):
                    kept = f"the field `{field}` of `{name}` is declared as a plain function"
                    yield value, scope, f"{kept}, so that nobody awaits what it returns"
            return
    callees = list(signatures(unit.file, call, scope))
    if len(callees) == 1:
        yield from _given_for_parameters(unit, call, scope, *callees[0])


def _given_for_parameters(
    unit: Unit, call: ast.Call, scope: Scope, callee: FunctionType, parameters: list[Parameter]
) -> Iterator[_Place]:
    name = last_name(call.func)
    plain = list(pairs(call, parameters))
    for parameter, argument in (*plain, *rest(call, parameters)):
        declared = annotation_types.evaluate(
            unit.file.resolver,
            parse_expression(parameter.annotation),
            signature_scope(callee.function),
        )
        is_listed = (parameter, argument) in plain and any(
            isinstance(each, CallableType) and each.returns == NONE for each in members_of(declared)
        )
        # A parameter of its own that is declared so is seen to already.
        if not is_listed and _drops(unit, declared):
            said = f"`{name}()` takes `{parameter.name}` as a plain function"
            yield argument, scope, f"{said}, and does not await what it returns"
        elif not is_listed and may_be_asynchronous(unit, argument):
            what = _dropped_by(unit, callee, parameter, declared)
            if what:
                yield argument, scope, what


def _dropped_by(unit: Unit, callee: FunctionType, parameter: Parameter, declared: Type) -> str:
    """What the callee is seen to do with a function: it, or a method, calls it for nothing."""
    resolver = unit.file.resolver
    returned = resolver.awaitability(resolver.call_type(declared))
    if returned.certainty not in (Certainty.NO, Certainty.UNKNOWN):
        return ""
    found = dropping(unit.file, callee.function, parameter.name)
    if found is None:
        return ""
    # What is called may be known there by its arguments, and is reported there.
    is_by_name = last_name(found.call.func) == (found.keeper or parameter.name)
    given = resolver.awaitability(resolver.type_of(found.call, found.scope))
    if not parameter.annotation and is_by_name and given.is_likely:
        return ""
    return found.said_of(callee.function)


def _drops(unit: Unit, declared: Type) -> bool:
    """Whether all that is declared is a function of which nobody awaits the result."""
    members = [each for each in members_of(declared) if each != NONE]
    return bool(members) and all(_is_plain(unit, each) for each in members)


def _is_plain(unit: Unit, declared: Type) -> bool:
    """Whether what a declared function gives is None, or a value that no awaitable is."""
    resolver = unit.file.resolver
    if isinstance(declared, Instance):
        if not any("Protocol" in base for base in declared.cls.facts.bases):
            return False
        method = resolver.classes.member(declared, "__call__")
        if not isinstance(method, FunctionType) or not method.function.facts.returns:
            return False
        given = resolver.call_type(method)
    elif isinstance(declared, CallableType):
        given = declared.returns
    else:
        return False
    return all(
        each == NONE or (isinstance(each, Instance) and each.cls.qualified_name in _VALUES)
        for each in members_of(given)
    )


_VALUES = frozenset(
    {"builtins.bool", "builtins.bytes", "builtins.float", "builtins.int", "builtins.str"}
)


def _is_awaited(unit: Unit, name: str, cls: Class | None) -> bool:
    """Whether, whatever is declared, what an attribute is called for is awaited in its file."""
    if name in unit.file.awaited_methods:
        return True
    if cls is None or cls.module is unit.file.module:
        return False
    cls.module.note_all()
    source = cls.module.source
    with suppress(Unreadable):
        return source.mentions(f".{name}(") and name in awaited_methods(
            cls.module.file.tree or source.parse()
        )
    return False


def may_be_asynchronous(unit: Unit, node: ast.expr) -> bool:
    """Whether the package has an asynchronous function of this name, before resolving it."""
    match node:
        case ast.Name(name):
            facts = unit.file.module.facts
            return name in unit.file.traits.asynchronous and (
                name in facts.functions
                or name in facts.imports
                or any(getattr(inner, "name", "") == name for inner, _ in unit.statements)
            )
        case ast.Attribute(_, name):
            return name in unit.file.traits.asynchronous
        case ast.Lambda(_, ast.Call(func)):
            return may_be_asynchronous(unit, func)
        case ast.Call(_, [function, *_]):
            return may_be_asynchronous(unit, function)
        case ast.IfExp() | ast.BoolOp() | ast.NamedExpr():
            return any(may_be_asynchronous(unit, each) for each in possible_values(node))
    return False
