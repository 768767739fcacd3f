"""Functions that are the only waiter for a stored awaitable, although anybody may call them.

async def stop(self):                    # Who ends the task waits for its end.
    self._stopping.set()
    await self._task

while not self.done():                   # Its only caller takes one step after the other.
    await self.step()

waiter = Waiter(event)                   # Whoever calls it has made the object.
return await waiter.wait()

try:
    return await self._answers[number]   # Each call has a number of its own.
finally:
    del self._answers[number]
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.call_sites import call_sites
from logctx_lint.analysis.context import TreeContext, contexts_naming
from logctx_lint.analysis.deferreds.shared_state import Sharing
from logctx_lint.analysis.possible_values import possible_values
from logctx_lint.analysis.surroundings import attempts_around
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import QUEUE_PUTS, UNIQUE_VALUES
from logctx_lint.inference.passed_arguments import argument_for
from logctx_lint.inference.resolver import Resolver
from logctx_lint.inference.types import ClassObject, FunctionType, members_of
from logctx_lint.inference.use_def import Binding, Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Class, Function
from logctx_lint.syntax.ast_walk import body_nodes, last_name, own_attribute, own_nodes

_ENDS = frozenset({Role.SERVICE_END})
_ASKS = QUEUE_PUTS | {"set", "cancel"}
"""Methods of an event, a queue or another task by which a task is asked to end."""
_TASK_MAKERS = frozenset({"create_task", "ensure_future"})
_ENDPOINTS = frozenset({"create_connection", "create_datagram_endpoint", "create_unix_connection"})
"""Methods of an event loop that make a protocol, and give it back second."""


def is_sole_waiter(
    context: TreeContext, function: FunctionNode, wait: ast.expr, place: ast.expr
) -> bool:
    """Whether a function that alone waits for something in a file does so once at a time.

    `place`: the attribute or element that it is.
    """
    return (
        _ends_it(context, function, wait)
        or _is_renewed(context, wait)
        or _is_called_by_one(context, function)
        or (_is_taken_out(context, wait, place) and _has_fresh_keys(context, place))
    )


def has_put_it_there(context: TreeContext, wait: ast.expr) -> bool:
    """Whether what is waited for is the last of a list, which the function has just added.

    self._tasks.append(create_task(work()))
    await self._tasks[-1]
    """
    match wait:
        case ast.Subscript(holder, ast.UnaryOp(ast.USub(), ast.Constant(1))):
            statement = context.statement_of(wait)
        case _:
            return False
    last = context.before(statement)[-1:] if statement else []
    match last:
        case [ast.Expr(ast.Call(ast.Attribute(filled, "append"), [ast.Call()]))]:
            return ast.unparse(filled) == ast.unparse(holder)
    return False


def has_key_of_its_own(context: TreeContext, place: ast.expr) -> bool:
    """Whether each call looks for its own element: `self._flows[flow_id]`, an identifier that is
    made for it."""
    match place:
        case ast.Subscript(_, key) if key in context.scopes:
            return _is_fresh(context.resolver, key, context.scopes[key])
    return False


def _is_taken_out(context: TreeContext, wait: ast.expr, place: ast.expr) -> bool:
    """Whether a `finally` around takes an element out, which fails where another one has."""
    text = ast.unparse(place)
    for attempt in attempts_around(context, wait):
        for each in attempt.finalbody:
            match each:
                case ast.Delete(targets):
                    if text in map(ast.unparse, targets):
                        return True
                case ast.Expr(ast.Call(ast.Attribute(holder, "pop"), [key], [])):
                    if ast.unparse(ast.Subscript(holder, key, ast.Load())) == text:
                        return True
    return False


def _has_fresh_keys(context: TreeContext, place: ast.expr) -> bool:
    """Whether all that the file puts into a mapping gets a number of its own as the key."""
    match place:
        case ast.Subscript(ast.Attribute(_, name) as holder):
            text = ast.unparse(holder)
        case _:
            return False
    keys = [
        (target.slice, scope)
        for each in contexts_naming(context.file, name)
        for node, scope in each.unit.statements
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Subscript) and ast.unparse(target.value) == text
    ]
    return bool(keys) and all(_is_fresh(context.resolver, *each) for each in keys)


def _is_fresh(resolver: Resolver, key: ast.expr, scope: Scope, detour: int = 3) -> bool:
    """Whether a key is made, or counted on, in the function that takes it, or by its callers."""
    match key:
        case ast.Call(ast.Name("next"), [_], []):
            return True
        case ast.Call(ast.Name("str" | "int"), [inner]) | ast.Attribute(inner, "hex" | "int"):
            return _is_fresh(resolver, inner, scope, detour)
        case ast.JoinedStr(parts):
            return any(
                isinstance(each, ast.FormattedValue)
                and _is_fresh(resolver, each.value, scope, detour)
                for each in parts
            )
        case ast.Call(func):
            return not UNIQUE_VALUES.isdisjoint(resolver.names(func, scope))
        case ast.Attribute():
            return isinstance(scope.node, FunctionNode) and any(
                isinstance(each.op, ast.Add) and ast.unparse(each.target) == ast.unparse(key)
                for each in body_nodes(scope.node, ast.AugAssign)
            )
        case ast.Name(name) if detour:
            bindings = scope.reaching_name(key)
            return bool(bindings) and all(
                _is_bound_to_fresh(resolver, each, name, scope, detour - 1) for each in bindings
            )
    return False


def _is_bound_to_fresh(
    resolver: Resolver, binding: Binding, name: str, scope: Scope, detour: int
) -> bool:
    if binding.kind == "value" and binding.value and not binding.path:
        return _is_fresh(resolver, binding.value, scope, detour)
    if binding.kind != "parameter" or scope.function is None:
        return False
    callee = FunctionType(scope.function)
    given = [
        (argument_for(resolver, call, _reached(resolver, call, where) or callee, name), where)
        for call, where in call_sites(resolver, scope.function)
    ]
    return bool(given) and all(
        key is not None and _is_fresh(resolver, key, where, detour) for key, where in given
    )


def _reached(resolver: Resolver, call: ast.Call, scope: Scope) -> FunctionType | None:
    members = members_of(resolver.type_of(call.func, scope))
    return next((each for each in members if isinstance(each, FunctionType)), None)


def _is_renewed(context: TreeContext, wait: ast.expr) -> bool:
    """Whether a handler puts another one there when the wait has failed."""
    text = ast.unparse(wait)
    for attempt in attempts_around(context, wait):
        for each in own_nodes(s for handler in attempt.handlers for s in handler.body):
            if isinstance(each, ast.Assign) and text in map(ast.unparse, each.targets):
                return isinstance(each.value, ast.Call)
    return False


def _ends_it(context: TreeContext, function: FunctionNode, wait: ast.expr) -> bool:
    """Whether a function asks what it waits for to end, just before it does."""
    return any(
        _asks_to_end(context, each)
        for statement in _before(context, wait, function)
        for each in own_nodes([statement])
    )


def _before(context: TreeContext, node: ast.AST, function: FunctionNode) -> Iterator[ast.stmt]:
    """The statements that surely run before a node, and are not themselves waited in."""
    inner = node
    while inner is not function:
        if isinstance(inner, ast.stmt):
            yield from context.before(inner)
        outer = context.parent(inner)
        if outer is None:
            return
        inner = outer


def _asks_to_end(context: TreeContext, node: ast.AST) -> bool:
    match node:
        case ast.Assign([ast.Attribute(ast.Name("self"))], ast.Constant(bool())):
            return True
        case ast.Call(ast.Attribute(ast.Attribute(), name)):
            return name in _ASKS or context.file.vocabulary.has_bare_name(name, _ENDS)
    return False


def _is_called_by_one(context: TreeContext, function: FunctionNode) -> bool:
    """Whether one loop of the package calls a function, or all have an object of their own."""
    called = context.unit.scopes[function].function
    if called is None or called.owner is None:
        return False
    sites = call_sites(context.resolver, called)
    if not sites:  # Calls without arguments are found in some files only.
        return _is_called_by_makers(context.resolver, called, called.owner)
    if len(sites) == 1 and (_is_step(*sites[0]) or _is_kept_as_task(*sites[0])):
        return True
    return bool(sites) and all(
        isinstance(call.func, ast.Attribute) and _is_made_here(context, call.func.value, scope)
        for call, scope in sites
    )


def _is_called_by_makers(resolver: Resolver, method: Function, cls: Class) -> bool:
    """Whether all who make an object of a class call a method of it themselves.

    transaction = Transaction(request)
    self._transactions[request.id] = transaction
    return await transaction.run()
    """
    made = [
        (call, scope)
        for call, scope in resolver.references.calls(cls.name, cls.module)
        for each in members_of(resolver.type_of(call.func, scope))
        if isinstance(each, ClassObject) and each.cls == cls
    ]
    return bool(made) and all(_calls_on_made(method.name, *each) for each in made)


def _calls_on_made(name: str, made: ast.Call, scope: Scope) -> bool:
    nodes = list(body_nodes(scope.node)) if isinstance(scope.node, FunctionNode) else []
    names = {
        target.id
        for each in nodes
        if isinstance(each, ast.Assign) and each.value is made
        for target in each.targets
        if isinstance(target, ast.Name)
    }
    return any(
        isinstance(each, ast.Call)
        and isinstance(each.func, ast.Attribute)
        and each.func.attr == name
        and isinstance(each.func.value, ast.Name)
        and each.func.value.id in names
        for each in nodes
    )


def _is_step(call: ast.Call, scope: Scope) -> bool:
    """`while ...: await self.step()`."""
    node = scope.node
    if not isinstance(node, FunctionNode) or not own_attribute(call.func):
        return False
    return any(
        isinstance(loop, ast.While)
        and any(each.value is call for each in body_nodes(loop, ast.Await))
        for loop in body_nodes(node)
    )


def _is_kept_as_task(call: ast.Call, scope: Scope) -> bool:
    """`self._task = asyncio.create_task(self.run())`: the object has one such task."""
    node = scope.node
    return isinstance(node, FunctionNode) and any(
        isinstance(each, ast.Assign)
        and isinstance(each.value, ast.Call)
        and last_name(each.value.func) in _TASK_MAKERS
        and each.value.args[:1] == [call]
        and own_attribute(call.func)
        and any(map(own_attribute, each.targets))
        for each in body_nodes(node)
    )


def _is_made_here(context: TreeContext, node: ast.expr, scope: Scope, detour: int = 3) -> bool:
    """Whether an object is one that the running function has made, itself or as a protocol."""
    if Sharing(context.resolver).is_own(node, scope):
        return True
    if not isinstance(node, ast.Name) or not detour:
        return False
    bindings = scope.reaching_name(node)
    for binding in bindings:
        if binding.kind != "value" or binding.value is None:
            return False
        match binding.value:
            case ast.Await(ast.Call(ast.Attribute(attr=name))) if name in _ENDPOINTS:
                if tuple(binding.path) != (1,):
                    return False
            case value:
                inner = [each for each in possible_values(value) if each is not value]
                if not inner or not all(
                    _is_made_here(context, each, scope, detour - 1) for each in inner
                ):
                    return False
    return bool(bindings)
