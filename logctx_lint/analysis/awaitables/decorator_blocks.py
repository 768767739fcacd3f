"""Decorators whose `with` or `try` around a call has ended before the returned awaitable runs.

A `with` that holds a log context, a measurement or a span is meant for whatever is awaited. In
front of an `async def`, whose call does nothing but make a coroutine, every other block is in vain
as well: any `with`, handlers, a `finally`, a clock that is read before and after.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.awaitables.wrapper_blocks import Wrapper, by_name, kept_in
from logctx_lint.analysis.log_contexts.log_contexts import plays
from logctx_lint.analysis.units import File, Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference import calls
from logctx_lint.inference.annotation_types import parse_expression
from logctx_lint.inference.class_members import enclosing_scope
from logctx_lint.inference.types import ClassObject, FunctionType, Instance, Kind, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Class, Function
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes, own_nodes

BLOCKS = frozenset({Role.CONTEXT_MANAGER, Role.MEASUREMENT, Role.TRACING_SPAN})
"""Roles of what is meant to stay open while the work in it runs."""
_CONTEXT_DECORATOR = frozenset({"contextlib.ContextDecorator"})
_DEEPEST = 3
"""How far inside a decorator its wrapper may stand."""


@dataclass(frozen=True, slots=True)
class ClosingDecorator:
    """A decorator that opens a block and leaves it as soon as the function has returned."""

    decorator: ast.expr
    function: FunctionNode
    kind: Kind
    """Of what the function gives."""
    left: str
    """What the decorator is out of by then, in words."""


def closing_decorators(unit: Unit) -> Iterator[ClosingDecorator]:
    """Every such decorator of functions that give an awaitable."""
    for node, scope in unit.scopes.items():
        if isinstance(node, FunctionNode) and node.decorator_list and scope.function:
            kind = _given_kind(unit.file, scope.function)
            for decorator in node.decorator_list if kind else ():
                outer = scope.parent or Scope(scope.module)
                left = left_by_wrapper(unit.file, decorator, outer, scope.function)
                if left and kind and reached_by(unit.file, scope.function, decorator):
                    yield ClosingDecorator(decorator, node, kind, left)


def _given_kind(file: File, function: Function) -> Kind | None:
    """The kind of awaitable that a function gives, with or without its decorators."""
    resolver = file.resolver
    for type_ in (
        resolver.functions.plain_result(function),
        resolver.call_type(FunctionType(function)),
    ):
        answer = resolver.awaitability(type_)
        if answer.is_certain:
            return answer.kind
    return None


def left_by_wrapper(
    file: File, decorator: ast.expr, scope: Scope, decorated: Function
) -> str | None:
    """What a decorator puts around a call, but not around what that returns; in words."""
    is_lazy = decorated.facts.is_async and not decorated.facts.is_generator
    if is_lazy and _is_context_decorator(file, decorator, scope):
        return f"leaves its `with {ast.unparse(decorator)}`"
    func = decorator.func if isinstance(decorator, ast.Call) else decorator
    if file.may_play(func, BLOCKS) and file.roles(func, scope) & BLOCKS:
        # The libraries' own know a coroutine function when they decorate it.
        return None if decorated.facts.is_async else f"leaves its `with {ast.unparse(decorator)}`"
    for member in members_of(file.resolver.type_of(func, scope)):
        if isinstance(member, FunctionType) and not member.function.module.is_stub:
            found = _wrapping(file, member.function.implementation)
            if found:
                return f"leaves its `{found}`"
        if is_lazy:
            wrapper = _wrapper(file, member, is_made=func is not decorator)
            found = wrapper.left() if wrapper else None
            if found:
                return found
    return None


def reached_by(file: File, function: Function, decorator: ast.expr) -> bool:
    """Whether what a decorator of a function is given, after those below it, gives an awaitable."""
    inner: list[str] = []
    for text in reversed(function.facts.decorators):
        node = parse_expression(text)
        if node is not None and ast.dump(node) == ast.dump(decorator):
            break
        names = file.resolver.names_of_text(text, enclosing_scope(function))
        if Role.TRANSPARENT_DECORATOR not in file.vocabulary.roles(names):
            inner.insert(0, text)
    resolver = file.resolver
    stage = calls.decorate(resolver, function, inner)
    is_itself = isinstance(stage, FunctionType) and stage.function == function
    result = resolver.functions.plain_result(function) if is_itself else resolver.call_type(stage)
    return resolver.awaitability(result).is_certain


def _is_context_decorator(file: File, decorator: ast.expr, scope: Scope) -> bool:
    """Whether contextlib opens a context manager around each call, as it does for plain functions.

    (It tells functions apart from Python 3.15 on.)
    """
    members = members_of(file.resolver.type_of(decorator, scope))
    return bool(members) and all(
        isinstance(member, Instance)
        and file.resolver.classes.has_ancestor(member.cls, _CONTEXT_DECORATOR)
        and not file.resolver.classes.unknown_bases(member.cls)
        and isinstance(called := file.resolver.classes.member(member, "__call__"), FunctionType)
        and called.function.module.name == "contextlib"
        for member in members
    )


def _wrapping(file: File, function: Function) -> str | None:
    node = function.tree() if "with " in function.text() else None
    if node is None or _treats_awaitables(node):
        return None
    return next(_left(file, Scope.of_body(function, node), node, set(), _DEEPEST), None)


def _left(
    file: File, scope: Scope, node: FunctionNode, outer: set[str], depth: int
) -> Iterator[str]:
    """The `with` statements in which a wrapper returns what a parameter of its decorator gives."""
    given = {argument.arg for argument in all_nodes(node.args, ast.arg)}
    for inner in body_nodes(node):
        if isinstance(inner, ast.With):
            items = [item.context_expr for item in inner.items]
            opened = [item for item in items if plays(file, item, scope, BLOCKS)]
            if opened and any(_returns_call_of(each, outer) for each in inner.body):
                yield f"with {ast.unparse(opened[0])}"
        elif isinstance(inner, FunctionNode) and depth:
            for binding in scope.bindings.get(inner.name, ()):
                if binding.function:
                    nested = Scope.of_body(binding.function, inner)
                    yield from _left(file, nested, inner, outer | given, depth - 1)


def _returns_call_of(statement: ast.stmt, names: set[str]) -> bool:
    return any(
        isinstance(inner.value, ast.Call)
        and isinstance(inner.value.func, ast.Name)
        and inner.value.func.id in names
        for inner in own_nodes([statement], ast.Return)
    )


# In front of an `async def`, whose call does nothing


def wrapper_of(file: File, decorator: ast.expr, scope: Scope) -> Wrapper | None:
    """The plain function that a decorator of the project puts around what it stands on."""
    func = decorator.func if isinstance(decorator, ast.Call) else decorator
    members = members_of(file.resolver.type_of(func, scope))
    found = [_wrapper(file, each, is_made=func is not decorator) for each in members]
    return found[0] if len(found) == 1 else None


def _wrapper(file: File, decorator: object, *, is_made: bool) -> Wrapper | None:
    """The same of one decorator. `is_made` tells `@decorator(…)` from `@decorator`."""
    if isinstance(decorator, FunctionType) and not decorator.function.module.is_stub:
        maker = decorator.function.implementation
        if maker.facts.decorators or maker.facts.is_async or maker.facts.is_generator:
            return None
        return _nested(file, maker, set(), _DEEPEST)
    if isinstance(decorator, ClassObject) and not decorator.cls.module.is_stub:
        called = decorator.cls.function("__call__")
        if called and is_made:
            return _nested(file, called[-1], set(), _DEEPEST)
        if called:
            return _calling_object(file, decorator.cls, called[-1])
    return None


def _nested(file: File, maker: Function, outer: set[str], depth: int) -> Wrapper | None:
    """The one function that a decorator, or a function that makes it, gives."""
    node = maker.tree()
    if node is None or not depth or _treats_awaitables(node):
        return None
    scope = Scope.of_body(maker, node)
    taken = outer | {parameter.name for parameter in maker.facts.parameters}
    wrapper = _only_returned(file, node, scope)
    if wrapper is None:
        return None
    found = _nested(file, wrapper, taken, depth - 1)
    if found:
        return found
    tree = wrapper.tree()
    own = {parameter.name for parameter in wrapper.facts.parameters}
    if tree is None or not _is_plain_wrapper(file, wrapper):
        return None
    names = taken - own - _bound_in(node) - _bound_in(tree)
    return Wrapper(file, tree, Scope.of_body(wrapper, tree), by_name(names))


def _calling_object(file: File, cls: Class, called: Function) -> Wrapper | None:
    """The same of a class whose objects keep the function and call it when they are called."""
    init, tree = cls.function("__init__"), called.tree()
    if tree is None or not init or not called.facts.parameters or called.facts.decorators:
        return None
    if called.facts.is_async or called.facts.is_generator or _treats_awaitables(tree):
        return None
    taken = init[-1].facts.parameters[1:2]
    kept = {
        name
        for name, variables in cls.facts.variables.items()
        if len(variables) == 1 and taken and variables[0].value == taken[0].name
    }
    callee = kept_in(called.facts.parameters[0].name, kept)
    return Wrapper(file, tree, Scope.of_body(called, tree), callee)


def _only_returned(file: File, node: FunctionNode, scope: Scope) -> Function | None:
    """The nested function that a decorator gives, or gives the result of, in any case."""
    returned = [each.value for each in body_nodes(node, ast.Return)]
    names = {_name_of(value) for value in returned}
    name = next(iter(names), None)
    if len(names) != 1 or name is None:
        return None
    bindings = scope.bindings.get(name, ())
    return bindings[0].function if len(bindings) == 1 else None


def _name_of(value: ast.expr | None) -> str | None:
    """`w` of `w`, `w(f)`, `wraps(f)(w)` and `update_wrapper(w, f)`."""
    match value:
        case ast.Name(name):
            return name
        case ast.Call(ast.Call(), [ast.Name(name)]):
            return name
        case ast.Call(ast.Name(func) | ast.Attribute(_, func), [first, second]):
            handed_on = {"update_wrapper": first, "cast": second}
            return _name_of(handed_on.get(func))
        case ast.Call(ast.Name(name), [ast.Name()], []):
            return name
    return None


def _is_plain_wrapper(file: File, wrapper: Function) -> bool:
    facts, scope = wrapper.facts, enclosing_scope(wrapper)
    return not (facts.is_async or facts.is_generator) and all(
        "functools.wraps" in file.resolver.names_of_text(text, scope) for text in facts.decorators
    )


def _bound_in(node: FunctionNode) -> set[str]:
    """The local names that are bound by other ways than as parameters."""
    return {each.id for each in body_nodes(node, ast.Name) if not isinstance(each.ctx, ast.Load)}


_AWAITABLE_WORDS = ("await", "coro", "deferred", "future", "task", "asyncio", "async")


def _treats_awaitables(node: FunctionNode) -> bool:
    """Whether code looks what it gets, or knows what to do with it; annotations say nothing."""
    stack: list[ast.AST] = [*node.body]
    while stack:
        each = stack.pop()
        match each:
            case ast.AsyncFunctionDef() | ast.Await() | ast.Yield() | ast.YieldFrom():
                return True
            case ast.FunctionDef():
                stack += [*each.decorator_list, *each.args.defaults, *each.body]
                continue
            case ast.AnnAssign(value=value):
                stack += [value] if value else []
                continue
            case ast.Name(name) | ast.Attribute(_, name):
                if any(word in name.lower() for word in _AWAITABLE_WORDS):
                    return True
        stack += ast.iter_child_nodes(each)
    return False
