"""Parameters without an annotation whose values their function needs in any case.

def encrypt(self, data):
    return bytes(each ^ self.key for each in data)  # A coroutine for `data` fails here.

def send(self, data):
    self.transport.write(self.encrypt(data))        # So it does when it gets there from here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from logctx_lint.analysis.awaitables.expected_types import function_scope, refuses
from logctx_lint.analysis.awaitables.habitual_arguments import is_given_awaited
from logctx_lint.analysis.awaitables.misused_values import has_attribute
from logctx_lint.analysis.callback_arguments import pairs, signatures
from logctx_lint.analysis.context import as_try
from logctx_lint.analysis.units import File, Unit
from logctx_lint.inference import annotation_types
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.class_members import signature_scope
from logctx_lint.inference.known_names import KIND_TEST_NAMES
from logctx_lint.inference.types import UNKNOWN, Kind, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode, Parameter
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import all_nodes, call_arguments, child_nodes, last_name

_OF_VALUES = {
    **dict.fromkeys(
        ("list", "tuple", "set", "frozenset", "sorted", "sum", "any", "all", "enumerate",
         "reversed", "iter", "min", "max", "bytes", "bytearray"),
        "iterates over it",
    ),
    **dict.fromkeys(("int", "float", "abs", "round"), "makes it a number"),
    "len": "asks for its length",
}  # fmt: skip
_ASKING = KIND_TEST_NAMES | {
    "callable", "create_task", "ensureDeferred", "ensure_future", "gather", "getattr", "hasattr",
    "isinstance", "issubclass", "maybeDeferred", "run", "run_coroutine_threadsafe",
    "run_until_complete", "type", "vars", "wait_for",
}  # fmt: skip
"""Functions that tell what a parameter is, or drive it."""
_OF_AWAITABLES = frozenset({"__await__", "send", "close", "add_done_callback"})
_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_CHOICES = (
    ast.If, ast.IfExp, ast.While, ast.BoolOp, ast.Match, ast.Lambda, ast.FunctionDef,
    ast.AsyncFunctionDef,
)  # fmt: skip
_LONGEST_DETOUR = 2
"""How many functions may hand it on."""
_BARE = frozenset({"builtins.staticmethod", "builtins.classmethod"})


def needed_names(unit: Unit, scope: Scope, kinds: Mapping[str, Kind]) -> Iterator[ast.Name]:
    """The uses of names in a function that hand awaitables to others who need their values.

    `kinds` says of which kind that is which each name holds.
    """
    for call, where in unit.nodes(ast.Call) if kinds else ():
        given = [each for each in call_arguments(call) if isinstance(each, ast.Name)]
        if function_scope(where) is scope:
            for kind in {kinds[each.id] for each in given if each.id in kinds}:
                for argument, _ in values_needed(unit, call, where, kind):
                    if isinstance(argument, ast.Name) and kinds.get(argument.id) is kind:
                        yield argument


def values_needed(
    unit: Unit, call: ast.Call, scope: Scope, kind: Kind
) -> Iterator[tuple[ast.expr, str]]:
    """The arguments of a call whose values are needed, and what the function does with them.

    An awaitable of this `kind` would not do for them.
    """
    for argument, need in _needs(unit, call, scope, kind, _LONGEST_DETOUR):
        yield argument, f"passed to `{ast.unparse(call.func)}()`, which {need}"


def _needs(
    unit: Unit, call: ast.Call, scope: Scope, kind: Kind, detour: int
) -> Iterator[tuple[ast.expr, str]]:
    file = unit.file
    callees = list(signatures(file, call, scope))
    if len(callees) != 1 or len(members_of(file.resolver.type_of(call.func, scope))) != 1:
        return
    callee, parameters = callees[0]
    function = callee.function.implementation
    node = None if function.module.is_stub else function.tree()
    if node is None or not _is_bare(file, node, function):
        return
    for parameter, argument in pairs(call, parameters):
        if isinstance(argument, ast.Call | ast.Name) and not parameter.kind:
            need = _need(unit, function, node, parameter, kind, detour)
            if need is not None:
                yield argument, need


def _is_bare(file: File, node: FunctionNode, function: Function) -> bool:
    """Whether no decorator stands between a call and the function."""
    scope = Scope.of_body(function, node)
    outer = scope.parent or scope
    return all(_BARE & set(file.resolver.names(each, outer)) for each in node.decorator_list)


def _need(
    unit: Unit,
    function: Function,
    node: FunctionNode,
    parameter: Parameter,
    kind: Kind,
    detour: int,
) -> str | None:
    """What a function does with a parameter in any case that an awaitable does not allow."""
    if parameter.annotation:
        # Whoever hands it on is told by the rules about what is declared.
        is_inner = detour < _LONGEST_DETOUR
        return "declares it as such" if is_inner and _refuses(unit, function, parameter) else None
    name = parameter.name
    nodes = [each for statement in node.body for each in all_nodes(statement)]
    if any(_thinks_of_it(each, name) for each in nodes):
        return None
    parents = {child: each for each in nodes for child in child_nodes(each)}
    for each in nodes:
        what = _use(each, name)
        is_own = isinstance(each, ast.Attribute) and has_attribute(unit, kind, each.attr)
        if what and not is_own and _is_reached(node, each, name, parents):
            return f"{what} (line {getattr(each, 'lineno', node.lineno)})"
    for each in nodes if detour else ():
        if isinstance(each, ast.Call) and any(_is(one, name) for one in call_arguments(each)):
            scope = Scope.of_body(function, node)
            for argument, _ in _needs(unit, each, scope, kind, detour - 1):
                if _is(argument, name) and _is_reached(node, each, name, parents):
                    return f"hands it to `{ast.unparse(each.func)}()` (line {each.lineno})"
    if is_given_awaited(unit.file, function, name):
        return "is elsewhere given what was awaited"
    return None


def _refuses(unit: Unit, function: Function, parameter: Parameter) -> bool:
    """Whether what a parameter is declared to be leaves no room for an awaitable."""
    declared = annotation_types.evaluate(
        unit.file.resolver, parse_expression(parameter.annotation), signature_scope(function)
    )
    return declared != UNKNOWN and refuses(unit, declared)


def _thinks_of_it(node: ast.AST, name: str) -> bool:
    match node:
        case ast.Name(found, ast.Store() | ast.Del()):
            return found == name
        case (
            ast.Await(ast.Name(found)) | ast.Yield(ast.Name(found)) | ast.YieldFrom(ast.Name(found))
        ):
            return found == name
        case ast.Attribute(ast.Name(found), attribute):
            return found == name and attribute in _OF_AWAITABLES
        case ast.Nonlocal(names) | ast.Global(names):
            return name in names
        case ast.Call(func) if last_name(func) in _ASKING:
            return any(_is(each, name) for each in call_arguments(node))
    return False


def _is(node: ast.AST | None, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _use(node: ast.AST, name: str) -> str:
    match node:
        case ast.For(_, source) | ast.comprehension(_, source, _, 0) if _is(source, name):
            return "iterates over it"
        case ast.Subscript(value) if _is(value, name):
            return "takes an element of it"
        case ast.Attribute(value, attribute) if _is(value, name):
            return f"asks it for `{attribute}`"
        case ast.BinOp(ast.Constant(str()), ast.Mod()):
            return ""
        case ast.BinOp(left, _, right) if _is(left, name) or _is(right, name):
            return "calculates with it"
        case ast.Compare(left, operators, others):
            sides = [left, *others]
            for position, operator in enumerate(operators):
                if isinstance(operator, _ORDER) and any(
                    _is(each, name) for each in sides[position : position + 2]
                ):
                    return "compares it"
                if isinstance(operator, ast.In | ast.NotIn) and _is(sides[position + 1], name):
                    return "looks into it"
        case ast.Starred(value, ast.Load()) if _is(value, name):
            return "iterates over it"
        case ast.Call(ast.Name(called), [given, *_]) if called in _OF_VALUES and _is(given, name):
            return _OF_VALUES[called]
        case ast.keyword(None, value) if _is(value, name):
            return "takes it for a mapping"
        case ast.Dict(keys, values):
            if any(key is None and _is(v, name) for key, v in zip(keys, values, strict=True)):
                return "takes it for a mapping"
    return ""


def _is_reached(
    function: FunctionNode, use: ast.AST, name: str, parents: dict[ast.AST, ast.AST]
) -> bool:
    """Whether only what the parameter itself is may keep a function from coming to a place."""
    inner: ast.AST = use
    while inner in parents:
        outer = parents[inner]
        if isinstance(outer, _CHOICES) and not _is_about(outer, name):
            return False
        attempt = as_try(outer)
        if attempt is not None and attempt.handlers:
            return False
        inner = outer
    place = use if hasattr(use, "lineno") else parents.get(use)  # A comprehension has none.
    line: int = getattr(place, "lineno", function.lineno)
    return not any(
        isinstance(statement, ast.If | ast.Try | ast.Match | ast.With | ast.For | ast.While)
        and statement.lineno < line
        and any(isinstance(each, ast.Return | ast.Raise) for each in all_nodes(statement))
        and not _is_about(statement, name)
        and not any(each is use for each in all_nodes(statement))
        for statement in function.body
    )


def _is_about(node: ast.AST, name: str) -> bool:
    """Whether a condition is about the parameter alone: `if data:`, `data is not None and ...`."""
    tests = [node.values[0]] if isinstance(node, ast.BoolOp) else [getattr(node, "test", None)]
    names = [
        each.id for test in tests if test is not None for each in all_nodes(test)
        if isinstance(each, ast.Name)
    ]  # fmt: skip
    return bool(names) and set(names) == {name}
