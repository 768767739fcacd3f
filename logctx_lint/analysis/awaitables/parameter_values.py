"""Unannotated parameters whose value the function uses, or calls, on every path.

def encrypt(self, data):
    return bytes(each ^ self.key for each in data)  # A coroutine for `data` fails here.

def send(self, data):
    self.transport.write(self.encrypt(data))        # So it does when it gets there from here.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping

from logctx_lint.analysis.awaitables.expected_types import function_scope, refuses
from logctx_lint.analysis.awaitables.habitual_arguments import is_given_awaited
from logctx_lint.analysis.awaitables.misused_values import has_attribute
from logctx_lint.analysis.callback_arguments import DRIVING, signatures
from logctx_lint.analysis.control_flow_graph import (
    FlowGraph,
    FlowNode,
    NodeKind,
    expressions,
    flow_graph,
    needed_for,
)
from logctx_lint.analysis.units import File, Unit
from logctx_lint.inference import annotation_types
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.class_members import signature_scope
from logctx_lint.inference.constants import outcome
from logctx_lint.inference.known_names import APPENDERS, KIND_TEST_NAMES
from logctx_lint.inference.passed_arguments import pairs
from logctx_lint.inference.types import UNKNOWN, Kind, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode, Parameter
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import all_nodes, call_arguments, is_name, last_name, own_attribute

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
    "callable", "getattr", "hasattr", "isinstance", "issubclass", "type", "vars"
}  # fmt: skip
"""Functions that tell what a parameter is."""
_OF_AWAITABLES = frozenset({"__await__", "send", "close", "add_done_callback"})
_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
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
    for function, node, parameter, argument in _parameters(unit.file, call, scope):
        need = _need(unit, function, node, parameter, kind, detour)
        if need is not None:
            yield argument, need


def functions_needed(file: File, call: ast.Call, scope: Scope) -> Iterator[ast.Call]:
    """The arguments of a call that its function calls, or keeps among what its class calls.

    def on_startup(self, hook):             async def run(self):
        self._hooks.append(hook)                for hook in self._hooks:
                                                    await hook()
    """
    for function, node, parameter, argument in _parameters(file, call, scope):
        if parameter.annotation or not isinstance(argument, ast.Call):
            continue
        name = parameter.name
        nodes = [each for statement in node.body for each in all_nodes(statement)]
        if any(_thinks_of_it(file, each, name) for each in nodes):
            continue
        graph = flow_graph(node)
        if any(
            isinstance(each, ast.Call)
            and is_name(each.func, name)
            and _always_comes_to(graph, each, name)
            for each in nodes
        ) or any(_are_called(file, function, place) for place in _kept_in(node, name)):
            yield argument


def _parameters(
    file: File, call: ast.Call, scope: Scope
) -> Iterator[tuple[Function, FunctionNode, Parameter, ast.expr]]:
    """The calls and names that are handed to a function of the project, and to which parameters."""
    callees = list(signatures(file, call, scope))
    if len(callees) != 1 or len(members_of(file.resolver.type_of(call.func, scope))) != 1:
        return
    callee, parameters = callees[0]
    function = callee.function.implementation
    node = function.source_tree()
    if node is None or not _is_bare(file, node, function):
        return
    for parameter, argument in pairs(call, parameters):
        if isinstance(argument, ast.Call | ast.Name) and not parameter.kind:
            yield function, node, parameter, argument


def _kept_in(node: FunctionNode, name: str) -> Iterator[str]:
    """The collections of the object that a function puts a parameter into in any case."""
    for statement in node.body:
        match statement:
            case ast.Expr(
                ast.Call(ast.Attribute(ast.Attribute(ast.Name("self"), kept), adder), [given])
            ) if adder in APPENDERS and is_name(given, name):
                yield kept


def _are_called(file: File, function: Function, attribute: str) -> bool:
    """Whether methods of a class do nothing with the elements of a collection but to call them."""
    owner = function.owner
    trees = [each.tree() for each in owner.methods()] if owner else []
    mentions = [
        (tree, node)
        for tree in filter(None, trees)
        for node in all_nodes(tree)
        if own_attribute(node) == attribute
    ]
    calling = [node for tree, node in mentions if _are_called_in_loop(file, tree, node)]
    return bool(calling) and all(
        node in calling or _is_filled(tree, node) for tree, node in mentions
    )


def _are_called_in_loop(file: File, tree: ast.AST, collection: ast.AST) -> bool:
    """Whether a loop over a collection calls each element, and never asks what it is."""
    for node in all_nodes(tree):
        match node:
            case ast.For(ast.Name(name), looped, body) if looped is collection:
                inside = [inner for statement in body for inner in all_nodes(statement)]
                return any(
                    isinstance(inner, ast.Call) and is_name(inner.func, name) for inner in inside
                ) and not any(_thinks_of_it(file, inner, name) for inner in inside)
    return False


def _is_filled(tree: ast.AST, place: ast.AST) -> bool:
    """Whether a mention of a collection fills it."""
    for node in all_nodes(tree):
        match node:
            case ast.Call(ast.Attribute(filled, adder)) if filled is place:
                return adder in APPENDERS
            case ast.Assign(targets) if place in targets:
                return True
            case ast.AnnAssign(target) if target is place:
                return True
    return False


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
    if any(_thinks_of_it(unit.file, each, name) for each in nodes):
        return None
    graph = flow_graph(node)
    need = _own_need(unit, node, nodes, graph, name, kind)
    if need is None and detour:
        scope = Scope.of_body(function, node)
        need = _need_of_callees(unit, scope, nodes, graph, name, kind, detour)
    if need is None and is_given_awaited(unit.file, function, name):
        need = "is elsewhere given what was awaited"
    return need


def _own_need(
    unit: Unit, node: FunctionNode, nodes: list[ast.AST], graph: FlowGraph, name: str, kind: Kind
) -> str | None:
    """What a function does itself that it could not do with an awaitable."""
    for each in nodes:
        what = _use(each, name)
        is_own = isinstance(each, ast.Attribute) and has_attribute(unit, kind, each.attr)
        place = each.iter if isinstance(each, ast.For) else each
        if what and not is_own and _always_comes_to(graph, place, name):
            return f"{what} (line {getattr(each, 'lineno', node.lineno)})"
    return None


def _need_of_callees(
    unit: Unit,
    scope: Scope,
    nodes: list[ast.AST],
    graph: FlowGraph,
    name: str,
    kind: Kind,
    detour: int,
) -> str | None:
    """What a function hands the parameter to, if that needs its value."""
    for call in nodes:
        if isinstance(call, ast.Call) and any(is_name(each, name) for each in call_arguments(call)):
            needs = _needs(unit, call, scope, kind, detour - 1)
            is_needed = any(is_name(argument, name) for argument, _ in needs)
            if is_needed and _always_comes_to(graph, call, name):
                return f"hands it to `{ast.unparse(call.func)}()` (line {call.lineno})"
    return None


def _refuses(unit: Unit, function: Function, parameter: Parameter) -> bool:
    """Whether what a parameter is declared to be leaves no room for an awaitable."""
    declared = annotation_types.evaluate(
        unit.file.resolver, parse_expression(parameter.annotation), signature_scope(function)
    )
    return declared != UNKNOWN and refuses(unit, declared)


def _thinks_of_it(file: File, node: ast.AST, name: str) -> bool:
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
        case ast.Call(func) if last_name(func) in _ASKING or file.may_play(func, DRIVING):
            return any(is_name(each, name) for each in call_arguments(node))
    return False


def _use(node: ast.AST, name: str) -> str:
    """What code does with what a name holds, if no awaitable allows it; in words."""
    match node:
        case (
            ast.For(_, value) | ast.comprehension(_, value, _, 0) | ast.Starred(value, ast.Load())
        ) if is_name(value, name):
            return "iterates over it"
        case ast.Subscript(value) if is_name(value, name):
            return "takes an element of it"
        case ast.Attribute(value, attribute) if is_name(value, name):
            return f"asks it for `{attribute}`"
        case ast.BinOp(ast.Constant(str()), ast.Mod()):
            return ""
        case ast.BinOp(left, _, right) if is_name(left, name) or is_name(right, name):
            return "calculates with it"
        case ast.Compare():
            return _comparison(node, name)
        case ast.Call(ast.Name(called), [given, *_]) if is_name(given, name):
            return _OF_VALUES.get(called, "")
        case ast.keyword(None, value) if is_name(value, name):
            return "takes it for a mapping"
        case ast.Dict(keys, values):
            spread = (v for key, v in zip(keys, values, strict=True) if key is None)
            return "takes it for a mapping" if any(is_name(v, name) for v in spread) else ""
    return ""


def _comparison(node: ast.Compare, name: str) -> str:
    for before, operator, behind in zip(
        [node.left, *node.comparators], node.ops, node.comparators, strict=False
    ):
        if isinstance(operator, _ORDER) and (is_name(before, name) or is_name(behind, name)):
            return "compares it"
        if isinstance(operator, ast.In | ast.NotIn) and is_name(behind, name):
            return "looks into it"
    return ""


def _always_comes_to(graph: FlowGraph, use: ast.AST, name: str) -> bool:
    """Whether a function comes to a place, and fails for good there, if it is given an awaitable.

    That is true, and not None, and so are the ways that conditions on the parameter alone go. What
    stands in a `try` with handlers may be meant to fail.
    """

    def value_of(asked: str) -> ast.Constant | None:
        return ast.Constant(...) if asked == name else None

    waiting, seen = [graph.entry], Counter[FlowNode]()
    while waiting:
        node = waiting.pop()
        truth = None
        if node.kind is NodeKind.TEST and isinstance(node.code, ast.expr):
            truth = outcome(node.code, value_of)
        elif node.kind is NodeKind.TURN and isinstance(node.code, ast.For | ast.AsyncFor):
            truth = not seen[node]  # There is something to loop over, as a rule.
        if seen[node] > (node.kind is NodeKind.TURN):
            continue
        seen[node] += 1
        if any(each is use for each in expressions(node)):
            assert node.code is not None
            needed = needed_for(use, node.code)
            if _is_tried(node) or any(
                outcome(test, value_of) is not truth for test, truth in needed
            ):
                return False
        elif node.kind is NodeKind.END or isinstance(node.code, ast.Raise):
            return False
        else:
            waiting += [each for each, way in node.next if truth is None or way is truth]
    return True


def _is_tried(node: FlowNode) -> bool:
    """Whether a `try` with handlers is around the code of a node."""
    target = node.raises
    while target is not None and target.kind is not NodeKind.DISPATCH:
        target = target.raises
    return target is not None
