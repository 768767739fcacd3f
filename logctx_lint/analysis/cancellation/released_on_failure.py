"""Resources taken before a `try` that its error handler releases, but a cancellation does not.

connection = await pool.get()
try:
    await connection.send(message)
except Exception:
    await pool.put(connection)      # `connection` is released where that fails.
    raise
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.called_code import code_of
from logctx_lint.analysis.cancellation.adopted_sockets import is_adopted
from logctx_lint.analysis.cancellation.initial_state import EXITS
from logctx_lint.analysis.cancellation.state_changes import called, given_back
from logctx_lint.analysis.context import TreeContext, in_source_order
from logctx_lint.analysis.own_class import class_node
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import APPENDERS, QUEUE_PUTS
from logctx_lint.inference.passed_arguments import passed
from logctx_lint.syntax.ast_walk import Suspension, all_nodes, body_nodes, is_name, own_nodes

_RELEASERS = frozenset({Role.RELEASER})
_EXIT_STACKS = frozenset({"contextlib.ExitStack", "contextlib.AsyncExitStack"})
_TAKERS = frozenset({"pop", "popleft", "popitem", "get", "get_nowait"})
_PUTTERS = APPENDERS | QUEUE_PUTS
"""Methods that take something out of a collection or queue, and those that put it there."""


def released_by(
    context: TreeContext,
    function: ast.AsyncFunctionDef,
    attempt: ast.Try,
    handler: ast.ExceptHandler,
) -> ast.expr | None:
    """What the handler releases and a call gave before the `try`: a local name, or an attribute
    that nobody else releases."""
    for statement in handler.body:
        call = called(statement) if isinstance(statement, ast.Expr) else None
        if call is None:
            continue
        put_back = _put_back(context, function, attempt, call)
        if put_back is not None:
            return put_back
        for each in _given_back_by(context, call):
            match each:
                case ast.Name():
                    if _is_taken_before(context, function, attempt, each) and not (
                        _is_empty_stack(context, attempt, each)
                        or is_adopted(context, attempt, each.id)
                        or _is_part_of_managed(context, attempt, each)
                        or _is_kept(function, attempt, handler, each.id)
                    ):
                        return each
                case ast.Attribute(ast.Name("self"), name):
                    is_taken = any(_fills(before, each) for before in context.before(attempt))
                    if is_taken and not _is_released_by_others(context, function, call, name):
                        return each
    return None


def _is_part_of_managed(context: TreeContext, attempt: ast.Try, name: ast.Name) -> bool:
    """Whether a `with` around ends what a thing was made of, and so that as well.

    async with pool.acquire() as connection:
        transaction = connection.transaction()
    """
    managed = {
        item.optional_vars.id
        for outer in context.around(attempt)
        if isinstance(outer, ast.With | ast.AsyncWith)
        for item in outer.items
        if isinstance(item.optional_vars, ast.Name)
    }
    bindings = context.scopes[name].reaching_name(name)
    return bool(bindings) and all(_root_of_call(each.value) in managed for each in bindings)


def _root_of_call(value: ast.expr | None) -> str:
    """The variable whose method gives a value: `connection` of `connection.transaction()`."""
    call = value.value if isinstance(value, ast.Await) else value
    match call:
        case ast.Call(ast.Attribute(ast.Name(root))):
            return root
    return ""


def _is_kept(
    function: ast.AsyncFunctionDef, attempt: ast.Try, handler: ast.ExceptHandler, name: str
) -> bool:
    """Whether an attribute holds a thing as well, which the handler leaves there for others.

    self._open[key] = connection
    """
    kept: set[str] = set()
    for node in body_nodes(function):
        if getattr(node, "lineno", attempt.lineno) >= attempt.lineno:
            continue
        match node:
            case ast.Assign(targets, ast.Name(stored)) if stored == name:
                kept.update(map(_holder, targets))
            case ast.Call(ast.Attribute(ast.Attribute() as holder, adder), [*_, ast.Name(stored)]):
                if stored == name and adder in _PUTTERS:
                    kept.add(ast.unparse(holder))
    named = {ast.unparse(each) for each in body_nodes(handler) if isinstance(each, ast.expr)}
    return any(each and each not in named for each in kept)


def _holder(target: ast.expr) -> str:
    """The attribute that an assignment puts something into; empty if it is none."""
    place = target.value if isinstance(target, ast.Subscript) else target
    return ast.unparse(place) if isinstance(place, ast.Attribute) else ""


def _given_back_by(context: TreeContext, call: ast.Call) -> Iterator[ast.expr]:
    match call.func:
        case ast.Attribute(receiver, name) if name in EXITS:  # Entered by hand.
            yield receiver
        case func if context.file.may_play(func, _RELEASERS):
            yield from given_back(call)
        case _:
            yield from _given_back_inside(context, call)


def _is_empty_stack(context: TreeContext, attempt: ast.Try, name: ast.Name) -> bool:
    """Whether a name holds an exit stack that nothing is on wherever a `try` may be cancelled.

    stack = AsyncExitStack()
    try:
        response = await stack.enter_async_context(request(url))
    """
    bindings = context.scopes[name].reaching_name(name)
    if not all(
        isinstance(each.value, ast.Call) and _EXIT_STACKS & set(context.names(each.value))
        for each in bindings
    ):
        return False
    own = [*context.before(attempt), *attempt.body]
    filling = [
        node
        for node in own_nodes(own, ast.Call)
        if isinstance(node.func, ast.Attribute) and is_name(node.func.value, name.id)
    ]
    risks = [each for each in body_nodes(attempt) if isinstance(each, Suspension)]
    last = in_source_order(risks)[-1]
    return all((each.lineno, each.col_offset) >= (last.lineno, last.col_offset) for each in filling)


def _given_back_inside(context: TreeContext, call: ast.Call) -> Iterator[ast.Name]:
    """What a function of the project gives back, or forgets, of what it is given.

    async def _discard(self, connection):
        self._open.remove(connection)
        await connection.close()
    """
    if not any(isinstance(each, ast.Name) for each in call.args):
        return
    for function in context.functions(call.func):
        code = code_of(function)
        for name, given in passed(context.resolver, call, function):
            if (
                isinstance(given, ast.Name)
                and code
                and any(_ends(context, each, name) for each in code.nodes)
            ):
                yield given


def _ends(context: TreeContext, node: ast.AST, name: str) -> bool:
    """Whether a call releases what a name holds."""
    match node:
        case ast.Call(ast.Attribute(ast.Name(released)) as releaser, []):
            return released == name and context.file.may_play(releaser, _RELEASERS)
    return False


def _put_back(
    context: TreeContext, function: ast.AsyncFunctionDef, attempt: ast.Try, call: ast.Call
) -> ast.Name | None:
    """What a call puts back where it was taken from: `c = idle.pop()`, `idle.append(c)`."""
    match call:
        case ast.Call(ast.Attribute(place, adder), [ast.Name() as name]) if adder in _PUTTERS:
            # Who waits in a queue of threads runs on no event loop.
            if _is_of_threads(context, call) or not _is_taken_before(
                context, function, attempt, name
            ):
                return None
        case _:
            return None
    scope = context.unit.scopes[function]
    for binding in scope.reaching_name(name):
        value = binding.value
        match value.value if isinstance(value, ast.Await) else value:
            case ast.Call(ast.Attribute(source, taker), keys) if (
                taker in _TAKERS
                # What is got by a key stays where it is.
                and not (keys and taker == "get")
                and ast.unparse(source) == ast.unparse(place)
            ):
                continue
        return None
    return name


def _is_of_threads(context: TreeContext, call: ast.Call) -> bool:
    """`queue.put_nowait(connection)` of a queue that one gets from by blocking the thread."""
    return any(name.partition(".")[0] == "queue" for name in context.names(call))


def _fills(statement: ast.stmt, place: ast.Attribute) -> bool:
    match statement:
        case ast.Assign([target], value):
            return _is_call(value) and ast.unparse(target) == ast.unparse(place)
    return False


def _is_released_by_others(
    context: TreeContext, function: ast.AsyncFunctionDef, call: ast.Call, name: str
) -> bool:
    """Whether other code of the file calls a method of the same name on such an attribute."""
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    cls = class_node(context) if function.name == "__aenter__" else None
    # It is not called where `__aenter__` does not come to its end.
    ends = [each for each in cls.body if getattr(each, "name", "") == "__aexit__"] if cls else []
    unreached = {node for each in ends for node in all_nodes(each)}
    return any(
        node.attr == method
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == name
        and node is not call.func
        and node not in unreached
        for node in all_nodes(context.file.tree, ast.Attribute)
    )


def _is_taken_before(
    context: TreeContext, function: ast.AsyncFunctionDef, attempt: ast.Try, name: ast.Name
) -> bool:
    if _is_bound_last(context, attempt, name.id):
        return True
    scope = context.unit.scopes[function]
    bindings = scope.reaching_name(name)
    return bool(bindings) and all(
        each.kind == "value" and _is_call(each.value) and each.position[0] < attempt.lineno
        for each in bindings
    )


def _is_bound_last(context: TreeContext, attempt: ast.Try, name: str) -> bool:
    """Whether a call binds a name in the same block before a `try`, and nothing does in that."""
    if any(is_name(node, name) and isinstance(node.ctx, ast.Store) for node in body_nodes(attempt)):
        return False
    for statement in reversed(context.before(attempt)):
        match statement:
            case ast.Assign([ast.Name(bound)], value) if bound == name:
                return _is_call(value)
        if any(
            is_name(node, name) and isinstance(node.ctx, ast.Store)
            for node in own_nodes([statement])
        ):
            return False
    return False


def _is_call(node: ast.expr | None) -> bool:
    return isinstance(node.value if isinstance(node, ast.Await) else node, ast.Call)
