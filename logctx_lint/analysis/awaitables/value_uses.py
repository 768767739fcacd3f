"""Expressions whose value is used in a way that an awaitable does not allow."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import Enum

from logctx_lint.analysis.log_calls import is_named_log
from logctx_lint.analysis.possible_values import possible_values
from logctx_lint.analysis.units import Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import LOG_METHODS
from logctx_lint.inference.types import UNKNOWN, Certainty, Instance, members_of, without_none
from logctx_lint.inference.use_def import Binding, Comprehension, Scope
from logctx_lint.syntax.ast_walk import is_none


class Usage(Enum):
    """The ways to use a value; each tells, for a message, what an awaitable used so leads to."""

    TRUTH = "tested for truth, which it always is"
    IDENTITY = "compared by identity, which compares the awaitable and not what it would give"
    EQUALITY = "compared, which compares the awaitable and not what it would give"
    ORDER = "compared, which fails"
    MEMBER = "looked for, which never finds what it would give"
    CONTAINER = "searched, which fails"
    ARITHMETIC = "used in arithmetic, which fails"
    TEXT = "turned into text, which shows the awaitable and not what it would give"
    NUMBER = "turned into a number, which fails"
    LENGTH = "given to `len()`, which fails"
    ITERATION = "iterated over, which fails"
    ASYNC_ITERATION = "iterated over by `async for`, which fails"
    MAPPING = "unpacked as a mapping, which fails"
    ITEM = "indexed, which fails"
    INDEX = "taken for an index or key, which never finds what it would give"
    ATTRIBUTE = "asked for an attribute that it does not have"
    CALL = "called, which fails"
    ENTER = "entered by `with`, which fails"
    ASYNC_ENTER = "entered by `async with`, which fails"
    DRIVEN = "driven by hand, which gives nothing to await"
    RAISE = "raised, which fails"
    MATCH = "matched, which matches the awaitable and not what it would give"
    DROPPED = "asked for, and never awaited"
    DECLARED = "used where something else is declared"


@dataclass(frozen=True, slots=True)
class Use:
    """A call or a local name whose value is used."""

    node: ast.Call | ast.Name | ast.Attribute
    scope: Scope
    how: Usage
    other: ast.expr | None = None
    """What it is compared or calculated with, or looked for in."""
    attribute: str = ""
    fate: str = ""
    """What is done with it, in words, if that says more than `how`."""
    is_of_collection: bool = False
    """Calculated with by an operator that puts things into collections, too: `jobs |= f()`."""


_USED_PART: dict[type[ast.AST], tuple[str, Usage]] = {
    ast.Attribute: ("value", Usage.ATTRIBUTE),
    ast.If: ("test", Usage.TRUTH),
    ast.While: ("test", Usage.TRUTH),
    ast.Assert: ("test", Usage.TRUTH),
    ast.IfExp: ("test", Usage.TRUTH),
    ast.For: ("iter", Usage.ITERATION),
    ast.AsyncFor: ("iter", Usage.ASYNC_ITERATION),
    ast.FormattedValue: ("value", Usage.TEXT),
    ast.Subscript: ("value", Usage.ITEM),
    ast.Raise: ("exc", Usage.RAISE),
    ast.Match: ("subject", Usage.MATCH),
}
"""Nodes that use the value of one part of theirs, that part, and how."""
_USING_MORE: tuple[type[ast.AST], ...] = (
    ast.UnaryOp, ast.BoolOp, ast.comprehension, ast.Compare, ast.BinOp, ast.Starred,
    ast.Assign, ast.AugAssign, ast.Dict, ast.With, ast.AsyncWith, ast.match_case, ast.Subscript,
    ast.Await,
)  # fmt: skip
"""Nodes, beside calls, of which that takes a closer look."""
_ENDS = frozenset({ast.Call, ast.Name, ast.Attribute, ast.NamedExpr, ast.IfExp, ast.BoolOp})
"""Where `_ends` finds something."""
_PLAIN_VALUES = (
    ast.Constant, ast.Await, ast.JoinedStr, ast.List, ast.Dict, ast.Set, ast.ListComp, ast.SetComp,
    ast.DictComp, ast.GeneratorExp, ast.Compare, ast.BinOp, ast.UnaryOp, ast.Lambda, ast.Yield,
)  # fmt: skip
_PARTS = ("value", "element", "async element", "entered", "async entered")
"""Kinds of bindings that give a name a part of a value, or what comes of it."""
_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_CALLS = {
    **dict.fromkeys(("print", "str", "repr", "format", "ascii"), Usage.TEXT),
    **dict.fromkeys(("int", "float", "abs", "round"), Usage.NUMBER),
    **dict.fromkeys(
        ("list", "tuple", "set", "frozenset", "sorted", "sum", "any", "all", "dict", "enumerate",
         "reversed", "iter", "zip", "min", "max"),
        Usage.ITERATION,
    ),
    "len": Usage.LENGTH,
    "bool": Usage.TRUTH,
}  # fmt: skip
"""What built-in functions do with their arguments."""
_SHOWING = frozenset({"pprint.pformat", "pprint.pp", "pprint.pprint", "pprint.saferepr"})
_OF_GENERATORS = frozenset({"close", "send", "throw"})
"""Methods of a coroutine, none of which gives an awaitable."""
_COMPARE_BY_KEY = frozenset({"sorted", "min", "max"})
_OF_ELEMENTS = {
    **dict.fromkeys(("any", "all", "filter"), Usage.TRUTH),
    **dict.fromkeys(_COMPARE_BY_KEY, Usage.ORDER),
    "sum": Usage.ARITHMETIC,
}
"""What they do with each element, or with what a function gives for it."""
_MANY_OR_ONE = frozenset({"min", "max"})
"""Those of them that compare several arguments with one another."""


def uses(unit: Unit) -> Iterator[Use]:
    """Every place in a unit where a call or a local name that may be awaitable is used so."""
    return _uses(unit, _ValuePrefilter(unit).may_be_awaitable)


def uses_of(unit: Unit, names: Collection[str]) -> Iterator[Use]:
    """Every place where one of some local names is used for its value, whatever that is."""
    return _uses(unit, lambda node, scope: isinstance(node, ast.Name) and node.id in names)


_End = ast.Call | ast.Name | ast.Attribute


def _uses(unit: Unit, accepts: Callable[[_End, Scope], bool]) -> Iterator[Use]:
    for node, (used, how, other), scope in _used_parts(unit):
        for end in _ends(used):
            if accepts(end, scope):
                attribute = node.attr if isinstance(node, ast.Attribute) else ""
                collects = _may_collect(node, used)
                yield Use(end, scope, how, other, attribute, is_of_collection=collects)


def _used_parts(unit: Unit) -> Iterator[tuple[ast.AST, _Used, Scope]]:
    """The parts whose values are used, with the nodes that use them and the scopes they are in."""
    by_kind = unit.by_kind
    for kind, (field, how) in _USED_PART.items():
        for node, scope in by_kind.get(kind, ()):
            used = getattr(node, field)
            if type(used) in _ENDS:
                yield node, (used, how, None), scope
    for statement, scope in unit.nodes(ast.Expr):
        if isinstance(statement.value, ast.Attribute):
            yield statement, (statement.value, Usage.DROPPED, None), scope
    # `a or f()` as a statement: all of it is dropped, which other rules speak of.
    dropped = {statement.value for statement, _ in unit.nodes(ast.Expr)}
    for kind in _USING_MORE:
        for node, scope in by_kind.get(kind, ()):
            if kind is not ast.BoolOp or node not in dropped:
                yield from ((node, each, scope) for each in _used(node))
    for call, scope in unit.nodes(ast.Call):
        yield from ((call, each, scope) for each in _used_by_call(call, scope, unit))
        for used, inner, how in _used_one_by_one(call, scope, unit):
            yield call, (used, how, None), inner


def _may_collect(node: ast.AST, used: ast.expr) -> bool:
    match node:
        case ast.AugAssign(_, ast.BitOr() | ast.LShift()):
            return True
        case ast.BinOp(_, ast.BitOr() | ast.LShift(), right):
            return used is right
    return False


_Used = tuple[ast.expr, Usage, ast.expr | None]
"""What is used, how, and what with."""


def _ends(node: ast.expr) -> list[_End]:
    """The calls, names and attributes whose value may be that of `node`.

    Of `a or b`, that is the last one: the others are tested for truth, which says more.
    """
    if isinstance(node, ast.BoolOp):
        node = node.values[-1]
    return [value for value in possible_values(node) if isinstance(value, _End)]


def _used(node: ast.AST) -> Iterator[_Used]:
    """The parts of one node, which is no call, whose values it uses."""
    match node:
        case ast.match_case(_, ast.expr() as guard):
            yield guard, Usage.TRUTH, None
        case ast.comprehension(_, source, conditions, is_async):
            yield source, Usage.ASYNC_ITERATION if is_async else Usage.ITERATION, None
            for each in conditions:
                yield each, Usage.TRUTH, None
        case ast.Starred(value, ast.Load()):
            yield value, Usage.ITERATION, None
        case ast.Subscript(_, index, ast.Load()):
            yield index, Usage.INDEX, None
        case ast.Await(ast.Call(ast.Attribute(receiver, name))) if name in _OF_GENERATORS:
            yield receiver, Usage.DRIVEN, None
        case ast.Assign([ast.Tuple() | ast.List(), *_], value):
            yield value, Usage.ITERATION, None
        case ast.Dict(keys, values):
            for key, value in zip(keys, values, strict=True):
                if key is None:
                    yield value, Usage.MAPPING, None
        case ast.With(items) | ast.AsyncWith(items):
            is_async = isinstance(node, ast.AsyncWith)
            for item in items:
                yield item.context_expr, Usage.ASYNC_ENTER if is_async else Usage.ENTER, None
        case _:
            yield from _operands(node)


def _operands(node: ast.AST) -> Iterator[_Used]:
    """What an operator uses."""
    match node:
        case ast.UnaryOp(sign, operand):
            yield operand, Usage.TRUTH if isinstance(sign, ast.Not) else Usage.ARITHMETIC, None
        case ast.BoolOp(junction, values):
            for each in values[:-1]:
                # `c and f() or g()`, a conditional expression of old: that `f()` is true is meant.
                is_choice = isinstance(junction, ast.Or) and isinstance(each, ast.BoolOp)
                if not is_choice:
                    yield each, Usage.TRUTH, None
        case ast.Compare(left, operators, others):
            for operator, right in zip(operators, others, strict=True):
                yield from _compared(left, operator, right)
                left = right
        case ast.BinOp(ast.Constant(str()), ast.Mod(), right):
            for each in _formatted(right):
                yield each, Usage.TEXT, None
        case ast.BinOp(left, _, right):
            yield left, Usage.ARITHMETIC, right
            yield right, Usage.ARITHMETIC, left
        case ast.AugAssign(target, _, value):
            yield value, Usage.ARITHMETIC, target


def _compared(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Iterator[_Used]:
    if isinstance(operator, ast.In | ast.NotIn):
        yield left, Usage.MEMBER, right
        yield right, Usage.CONTAINER, left
        return
    how = Usage.ORDER if isinstance(operator, _ORDER) else Usage.EQUALITY
    if isinstance(operator, ast.Is | ast.IsNot):
        how = Usage.IDENTITY
    yield left, how, right
    yield right, how, left


def _formatted(node: ast.expr) -> list[ast.expr]:
    """What `%` puts into a text."""
    match node:
        case ast.Tuple(elements):
            return elements
        case ast.Dict(_, values):
            return values
    return [node]


def _used_by_call(call: ast.Call, scope: Scope, unit: Unit) -> Iterator[_Used]:
    func = call.func
    if isinstance(func, ast.Call | ast.Name):
        yield func, Usage.CALL, None
    for keyword in call.keywords:
        if keyword.arg is None:
            yield keyword.value, Usage.MAPPING, None
    how = _done_with_arguments(call, scope, unit)
    if how is None:
        return
    name = func.id if isinstance(func, ast.Name) else ""
    if name in _MANY_OR_ONE and len(call.args) > 1:
        how = Usage.ORDER
    several = how in (Usage.TEXT, Usage.ORDER) or name == "zip"
    for argument in call.args if several else call.args[:1]:
        yield argument, how, None
    if how is Usage.TEXT and not name:
        for keyword in call.keywords:
            yield keyword.value, how, None


def _used_one_by_one(
    call: ast.Call, scope: Scope, unit: Unit
) -> Iterator[tuple[ast.expr, Scope, Usage]]:
    """What a built-in function does with each element that it is given, or with each result."""
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    how = _OF_ELEMENTS.get(name)
    if how is None or not call.args:
        return
    by_key = [each.value for each in call.keywords if each.arg == "key"]
    is_by_key = bool(by_key) and name in _COMPARE_BY_KEY
    source = by_key[0] if is_by_key else call.args[0]
    used, inner = _elements(source, scope, of_lambda=is_by_key or name == "filter")
    if used and f"builtins.{name}" in unit.file.resolver.names(call.func, scope):
        yield from ((each, inner, how) for each in used)


def _elements(source: ast.expr, scope: Scope, *, of_lambda: bool) -> tuple[list[ast.expr], Scope]:
    """The elements of a display or comprehension, or the results of a lambda; in which scope."""
    match source:
        case ast.GeneratorExp(element) | ast.ListComp(element) | ast.SetComp(element):
            return [element], scope.child(source)
        case ast.List(elements) | ast.Tuple(elements) | ast.Set(elements):
            return [each for each in elements if not isinstance(each, ast.Starred)], scope
        case ast.Lambda(_, body) if of_lambda:
            return [body], scope.child(source)
    return [], scope


def _done_with_arguments(call: ast.Call, scope: Scope, unit: Unit) -> Usage | None:
    """What a built-in function, a text or a logger does with what it is given."""
    if not call.args and not call.keywords:
        return None
    match call.func:
        case ast.Name(name) if name in _CALLS:
            names = unit.file.resolver.names(call.func, scope)
            return _CALLS[name] if f"builtins.{name}" in names else None
        case ast.Name(name) | ast.Attribute(_, name) if f"pprint.{name}" in _SHOWING:
            names = unit.file.resolver.names(call.func, scope)
            return Usage.TEXT if not _SHOWING.isdisjoint(names) else None
        case ast.Attribute(ast.Constant(str()), "format"):
            return Usage.TEXT
        case ast.Attribute(ast.Constant(str() | bytes()), "join"):
            return Usage.ITERATION
        case ast.Attribute(_, name) if name in LOG_METHODS:
            if any(isinstance(each, ast.Call | ast.Name) for each in call.args):
                is_logged = Role.LOG_WRITER in unit.file.roles(call.func, scope)
                return Usage.TEXT if is_logged or _is_called_log(call, scope, unit) else None
    return None


def _is_called_log(call: ast.Call, scope: Scope, unit: Unit) -> bool:
    """`self.log.info("...", x)`: an unknown object that is called a log, and is given a text."""
    match call:
        case ast.Call(
            ast.Attribute(receiver) as method, [ast.Constant(str()) | ast.JoinedStr(), *_]
        ):
            is_log = is_named_log(method)
            return is_log and unit.file.resolver.type_of(receiver, scope) == UNKNOWN
    return False


class _ValuePrefilter:
    """The prefilter, with a memory for names: what may a call or name give?"""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._names: dict[tuple[Scope, str], bool] = {}

    def may_be_awaitable(self, node: _End, scope: Scope) -> bool:
        if isinstance(node, ast.Call):
            return node in self._unit.possible_awaitables
        if isinstance(node, ast.Attribute):
            return is_async_property(self._unit, node, scope)
        key = scope, node.id
        if key not in self._names:
            self._names[key] = self._may_name(node.id, scope)
        return self._names[key]

    def _may_name(self, name: str, scope: Scope) -> bool:
        # A nested function sees what those around it bind.
        while name not in scope.bindings:
            if scope.parent is None or scope.node is None:
                return False
            scope = scope.parent
        # That it may be None as well is for the flow to say.
        bindings = [each for each in scope.bindings[name] if not _is_none(each)]
        return bool(bindings) and all(self._may_hold(each, scope) for each in bindings)

    def _may_hold(self, binding: Binding, scope: Scope) -> bool:
        """Whether a binding may give an awaitable; one that does not settles it for the name."""
        resolver = self._unit.file.resolver
        return (
            self._may_bind(binding, scope)
            and resolver.awaitability(resolver.bindings.type_of(binding, scope)).is_likely
        )

    def _may_bind(self, binding: Binding, scope: Scope) -> bool:
        """The cheap questions about a binding."""
        value, prefilter = binding.value, self._unit.file.prefilter
        if binding.kind == "parameter":
            if binding.annotation is None or isinstance(value, ast.Constant):
                return False
            return prefilter.may_mean_awaitable(binding.annotation)
        if binding.kind == "value" and value and not binding.path:
            if isinstance(value, _PLAIN_VALUES) or not prefilter.may_be_awaitable(value, scope):
                return False
            return not isinstance(value, ast.Call) or not prefilter.gives_plain_value(value)
        if binding.kind in _PARTS:
            return self._may_bind_part(binding, scope)
        return binding.kind == "annotation"

    def _may_bind_part(self, binding: Binding, scope: Scope) -> bool:
        """What unpacking or looping over an awaitable gives is not another mistake."""
        value, resolver = binding.value, self._unit.file.resolver
        outer = (isinstance(scope.node, Comprehension) and scope.parent) or scope
        is_entered = binding.kind in ("entered", "async entered")
        prefilter = self._unit.file.prefilter
        if value and not is_entered and not prefilter.may_hold_awaitables(value, outer):
            return False
        whole = resolver.type_of(value, outer) if value else UNKNOWN
        return resolver.awaitability(whole).certainty is Certainty.NO


def _is_none(binding: Binding) -> bool:
    value = binding.value
    is_bound = binding.kind == "value" and not binding.path
    return is_bound and is_none(value)


def is_async_property(unit: Unit, node: ast.Attribute, scope: Scope) -> bool:
    """Whether an attribute is a property whose getter is an `async def`."""
    if node.attr not in unit.file.traits.asynchronous or not isinstance(node.ctx, ast.Load):
        return False
    classes = unit.file.resolver.classes
    members = members_of(without_none(unit.file.resolver.type_of(node.value, scope)))
    return bool(members) and all(
        isinstance(member, Instance)
        and any(
            function.facts.is_async and classes.is_property(function)
            for function in classes.functions(member.cls, node.attr)
        )
        for member in members
    )
