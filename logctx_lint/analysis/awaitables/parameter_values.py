"""Parameters without an annotation whose values their function needs in any case, or calls.

def encrypt(self, data):
    return bytes(each ^ self.key for each in data)  # A coroutine for `data` fails here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.awaitables.misused_values import OF_COROUTINES
from logctx_lint.analysis.callback_arguments import pairs, signatures
from logctx_lint.analysis.context import as_try
from logctx_lint.analysis.units import File
from logctx_lint.inference.known_names import APPENDERS, KIND_TEST_NAMES
from logctx_lint.inference.types import members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
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
_BARE = frozenset({"builtins.staticmethod", "builtins.classmethod"})


def values_needed(file: File, call: ast.Call, scope: Scope) -> Iterator[tuple[ast.expr, str]]:
    """The arguments of a call whose values are needed, and what the function does with them."""
    for _, node, name, argument in _bare_parameters(file, call, scope):
        need = _need(node, name)
        if need is not None:
            yield argument, f"passed to `{ast.unparse(call.func)}()`, which {need}"


def functions_needed(file: File, call: ast.Call, scope: Scope) -> Iterator[ast.Call]:
    """The arguments of a call that its function calls, or keeps among what its class calls.

    def on_startup(self, hook):             async def run(self):
        self._hooks.append(hook)                for hook in self._hooks:
                                                    await hook()
    """
    for function, node, name, argument in _bare_parameters(file, call, scope):
        nodes = [each for statement in node.body for each in all_nodes(statement)]
        if any(_thinks_of_it(each, name) for each in nodes):
            continue
        parents = {child: each for each in nodes for child in child_nodes(each)}
        if any(
            isinstance(each, ast.Call)
            and _is(each.func, name)
            and _is_reached(node, each, name, parents)
            for each in nodes
        ) or any(_are_called(function, place) for place in _kept_in(node, name)):
            yield argument


def _bare_parameters(
    file: File, call: ast.Call, scope: Scope
) -> Iterator[tuple[Function, FunctionNode, str, ast.Call]]:
    """The calls that are handed to parameters without an annotation, and to which."""
    callees = list(signatures(file, call, scope))
    if len(callees) != 1 or len(members_of(file.resolver.type_of(call.func, scope))) != 1:
        return
    callee, parameters = callees[0]
    function = callee.function.implementation
    node = None if function.module.is_stub else function.tree()
    if node is None or not _is_bare(file, node, function):
        return
    for parameter, argument in pairs(call, parameters):
        if isinstance(argument, ast.Call) and not parameter.annotation and not parameter.kind:
            yield function, node, parameter.name, argument


def _kept_in(node: FunctionNode, name: str) -> Iterator[str]:
    """The collections of the object that a function puts a parameter into in any case."""
    for statement in node.body:
        match statement:
            case ast.Expr(
                ast.Call(ast.Attribute(ast.Attribute(ast.Name("self"), kept), adder), [given])
            ) if adder in APPENDERS and _is(given, name):
                yield kept


def _are_called(function: Function, attribute: str) -> bool:
    """Whether methods of a class do nothing with the elements of a collection but to call them."""
    owner = function.owner
    methods = owner.facts.functions if owner else ()
    trees = [each.tree() for name in methods for each in (owner.function(name) if owner else ())]
    mentions = [
        (tree, node)
        for tree in trees
        for node in (all_nodes(tree) if tree else ())
        if isinstance(node, ast.Attribute) and node.attr == attribute and _is(node.value, "self")
    ]
    calling = [node for tree, node in mentions if tree and _are_called_in_loop(tree, node)]
    return bool(calling) and all(
        node in calling or (tree is not None and _is_filled(tree, node)) for tree, node in mentions
    )


def _are_called_in_loop(tree: ast.AST, collection: ast.Attribute) -> bool:
    """Whether a loop over a collection calls each element, and never asks what it is."""
    for node in all_nodes(tree):
        match node:
            case ast.For(ast.Name(name), looped, body) if looped is collection:
                inside = [inner for statement in body for inner in all_nodes(statement)]
                return any(
                    isinstance(inner, ast.Call) and _is(inner.func, name) for inner in inside
                ) and not any(_thinks_of_it(inner, name) for inner in inside)
    return False


def _is_filled(tree: ast.AST, place: ast.Attribute) -> bool:
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


def _need(function: FunctionNode, name: str) -> str | None:
    """What a function does with a parameter in any case that an awaitable does not allow."""
    nodes = [each for statement in function.body for each in all_nodes(statement)]
    if any(_thinks_of_it(each, name) for each in nodes):
        return None
    parents = {child: each for each in nodes for child in child_nodes(each)}
    for node in nodes:
        what = _use(node, name)
        if what and _is_reached(function, node, name, parents):
            return f"{what} (line {getattr(node, 'lineno', function.lineno)})"
    return None


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
            return "" if attribute in OF_COROUTINES else f"asks it for `{attribute}`"
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
