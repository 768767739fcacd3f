"""What a callback does with a web request: finish it, pass its failure on, or neither."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Flag

from logctx_lint.analysis.units import File
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.raised_errors import takes_every_error
from logctx_lint.inference.types import FunctionType, Instance, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import body_nodes, own_nodes

ENDINGS = frozenset({"finish", "processingFailed", "loseConnection", "abortConnection"})
"""Methods of a request after which nobody waits for it any more."""
_RAISING = frozenset({"raiseException", "trap"})
_ROUTES = frozenset({Role.ROUTE})
_LONGEST_DETOUR = 3
"""How many functions may pass a request on before one ends it."""


class CallbackEffect(Flag):
    """What is known of a callback."""

    NOTHING = 0
    ENDS = 1
    """Ends a request."""
    HANDS_ON = 2
    """Gives back, or raises again, the failure that it got."""
    UNKNOWN = 4


def request_parameter(file: File, node: FunctionNode, scope: Scope) -> str:
    """The parameter that is the request, of a function that answers one."""
    parameters = [each.arg for each in (*node.args.posonlyargs, *node.args.args)]
    for name in parameters:
        type_ = file.resolver.type_of(_name(node, name), scope)
        for member in members_of(type_):
            if isinstance(member, Instance):
                names = file.resolver.classes.names(member.cls)
                if Role.REQUEST in file.vocabulary.roles(names):
                    return name
    outer = scope.parent
    is_render = scope.owner is not None and (node.name + "_").startswith("render_")
    is_route = outer is not None and any(
        file.roles(each.func if isinstance(each, ast.Call) else each, outer) & _ROUTES
        for each in node.decorator_list
    )
    position = int(scope.owner is not None)
    return parameters[position] if (is_render or is_route) and parameters[position:] else ""


def _name(function: FunctionNode, name: str) -> ast.Name:
    """A use of a parameter at the beginning of a function."""
    place = function.body[0]
    return ast.Name(name, ast.Load(), lineno=place.lineno, col_offset=place.col_offset)


@dataclass(frozen=True)
class RequestCallbacks:
    """Reads the functions of one scope that are given as callbacks."""

    file: File
    scope: Scope

    def does(
        self, callback: ast.expr | FunctionNode | None, detour: int = _LONGEST_DETOUR
    ) -> CallbackEffect:
        match callback:
            case None:
                return CallbackEffect.NOTHING
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return self._function(callback, self.scope, detour, is_method=False)
            case ast.Lambda():
                return self._lambda(callback, detour)
            case ast.Attribute(_, name) if name in ENDINGS:
                return CallbackEffect.ENDS
            case ast.Call():
                return self._made(callback, detour)
        return self._named(callback, self.scope, detour)

    def leaves_failures(self, started: ast.expr) -> bool:
        """Whether an asynchronous function ends a request, but not where what it awaits fails."""
        functions = list(self._functions(started, self.scope))
        return bool(functions) and all(_leaves_failures(self.file, each) for each in functions)

    def surely_ends(self, callback: ast.expr | FunctionNode) -> bool:
        """Whether a callback ends a request whatever fails in it: it catches everything itself."""
        if CallbackEffect.ENDS not in self.does(callback):
            return False
        if isinstance(callback, ast.Lambda):
            return False
        if isinstance(callback, FunctionNode):
            bodies = [(callback, self.scope)]
        else:
            bodies = self._bodies(callback)
        return bool(bodies) and all(
            any(_takes_failures(self.file, each, scope) for each in node.body)
            for node, scope in bodies
        )

    def trees(self, callback: ast.expr) -> list[FunctionNode]:
        """The first-party functions that a callback may be; none if any is not known."""
        return [node for node, _ in self._bodies(callback)]

    def _bodies(self, callback: ast.expr) -> list[tuple[FunctionNode, Scope]]:
        """The same, each with the scope of its body."""
        functions = list(self._functions(callback, self.scope))
        found = [
            (node, Scope.of_body(each, node))
            for each in functions
            if not each.module.is_stub and (node := each.tree()) is not None
        ]
        return found if len(found) == len(functions) else []

    def _lambda(self, node: ast.Lambda, detour: int) -> CallbackEffect:
        scope = self.scope.child(node)
        found = self._calls([node.body], scope, detour)
        names = [argument.arg for argument in node.args.args[:1]]
        if isinstance(node.body, ast.Name) and node.body.id in names:
            found |= CallbackEffect.HANDS_ON
        return found

    def _made(self, call: ast.Call, detour: int) -> CallbackEffect:
        """Of a callback that a call gives: a partial, or a closure."""
        names = self.file.resolver.names(call.func, self.scope)
        if "functools.partial" in names and call.args:
            return self.does(call.args[0], detour)
        found = CallbackEffect.NOTHING
        for function in self._functions(call.func, self.scope):
            node = function.tree()
            if node is None:
                return CallbackEffect.UNKNOWN
            for statement in body_nodes(node):
                if isinstance(statement, ast.Return) and statement.value:
                    scope = Scope.of_body(function, node)
                    found |= RequestCallbacks(self.file, scope).does(statement.value, detour - 1)
        return found or CallbackEffect.UNKNOWN

    def _named(self, node: ast.expr, scope: Scope, detour: int) -> CallbackEffect:
        if isinstance(node, ast.Name):
            for binding in scope.reaching_name(node):
                if binding.kind == "value" and isinstance(binding.value, ast.Call | ast.Lambda):
                    return self.does(binding.value, detour)
        functions = list(self._functions(node, scope))
        if not functions:
            return CallbackEffect.UNKNOWN
        found = CallbackEffect.NOTHING
        for function in functions:
            tree = function.source_tree()
            if tree is not None:
                inner = RequestCallbacks(self.file, Scope.of_body(function, tree))
                is_method = function.owner is not None
                found |= inner._function(tree, inner.scope, detour, is_method=is_method)
        return found

    def _functions(self, node: ast.expr, scope: Scope) -> Iterator[Function]:
        for member in members_of(self.file.resolver.type_of(node, scope)):
            if isinstance(member, FunctionType):
                yield member.function.implementation

    def _function(
        self, node: FunctionNode, scope: Scope, detour: int, *, is_method: bool
    ) -> CallbackEffect:
        found = self._calls(node.body, scope, detour)
        parameters = [*node.args.posonlyargs, *node.args.args][is_method:][:1]
        if (
            any(_hands_on(statement, parameters[0].arg) for statement in body_nodes(node))
            if (parameters)
            else False
        ):
            found |= CallbackEffect.HANDS_ON
        return found

    def _calls(
        self, body: list[ast.stmt] | list[ast.expr], scope: Scope, detour: int
    ) -> CallbackEffect:
        """What the calls in a body do about a request, themselves or where they lead."""
        found = CallbackEffect.NOTHING
        for node in own_nodes(body, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in ENDINGS:
                return CallbackEffect.ENDS
            if detour:
                inner = self._named(node.func, scope, detour - 1)
                found |= inner & CallbackEffect.ENDS
        return found


def _leaves_failures(file: File, function: Function) -> bool:
    node = function.source_tree()
    if node is None or len(node.decorator_list) > isinstance(node, ast.FunctionDef):
        return False  # A decorator may answer instead.
    nodes = list(body_nodes(node))
    scope = Scope.of_body(function, node)
    guarded = {
        inner
        for each in nodes
        if _takes_failures(file, each, scope)
        for inner in body_nodes(each)  # type: ignore[call-overload]
    }
    return any(
        isinstance(each, ast.Call)
        and isinstance(each.func, ast.Attribute)
        and each.func.attr in ENDINGS
        for each in nodes
    ) and any(isinstance(each, ast.Await | ast.Yield) and each not in guarded for each in nodes)


def _takes_failures(file: File, node: ast.AST, scope: Scope) -> bool:
    """Whether a statement is a `try` that does something whatever fails in it."""
    return isinstance(node, ast.Try) and (
        bool(node.finalbody)
        or any(takes_every_error(file.resolver, each.type, scope) for each in node.handlers)
    )


def _hands_on(node: ast.AST, failure: str) -> bool:
    """Whether a statement returns a failure, or raises it again."""
    match node:
        case ast.Return(ast.Name(name)):
            return name == failure
        case ast.Raise(None):
            return True
        case ast.Raise(ast.Attribute(ast.Name(name), "value")):
            return name == failure
        case ast.Call(ast.Attribute(ast.Name(name), method)):
            return name == failure and method in _RAISING
    return False
