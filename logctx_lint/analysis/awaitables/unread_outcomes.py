"""Outcomes of several awaitables that nobody looks at, so that what fails goes unseen.

await gather(f(), g(), return_exceptions=True)      # Failures are among the results.
yield DeferredList([f(), g()], consumeErrors=True)  # So they are here, and nothing logs them.
done, pending = await wait(tasks)                   # Raises nothing; a task in `done` may have.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from logctx_lint.analysis.awaitables.gathered_operands import parts
from logctx_lint.analysis.awaitables.ownership import sees_to_failures
from logctx_lint.analysis.called_code import code_of
from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.deferreds.shared_state import COPIES, VIEWS
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import APPENDERS
from logctx_lint.inference.raised_errors import RaisedErrors, guarded
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    body_nodes,
    is_name,
    last_name,
    own_nodes,
    with_following,
)

DEFERRED_LIST = frozenset({"twisted.internet.defer.DeferredList"})
_ENDS = frozenset({Role.SERVICE_END, Role.RELEASER})
_HARMLESS = frozenset({Role.NEVER_FAILS, Role.LOG_WRITER, Role.CLOCK})
_SAFE = ("asyncio.locks.", "asyncio.queues.", "builtins.", "collections.")
"""What only waits, or does next to nothing."""
_PLAIN = frozenset({"classmethod", "staticmethod"})
_STANDING = APPENDERS | {"cancel", "cancelled", "done", "get_name", "set_name", "discard", "remove"}
"""What is done with tasks, or a collection of them, without a look at what has become of them."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A call that waits for work, and a function of it that may fail."""

    call: ast.Call
    function: Function


def unread_results(context: TreeContext, call: ast.Call) -> Unread | None:
    """`await gather(f(), g(), return_exceptions=True)` as a statement."""
    awaited = context.parent(call)
    is_statement = isinstance(awaited, ast.Await) and isinstance(context.parent(awaited), ast.Expr)
    function = context.function_of(call)
    if not is_statement or not isinstance(function, FunctionNode):
        return None
    if not _says(call, "return_exceptions"):
        return None
    if any(last_name(each) == "cancel" for each in body_nodes(function)):
        return None  # What was cancelled has nothing more to say.
    return _unread(context, function, call, call.args)


def unread_pairs(context: TreeContext, call: ast.Call) -> Unread | None:
    """`yield DeferredList([f(), g()], consumeErrors=True)` as a statement."""
    awaited, function = context.parent(call), context.function_of(call)
    is_statement = isinstance(awaited, ast.Await | ast.Yield) and isinstance(
        context.parent(awaited), ast.Expr
    )
    if not is_statement or not isinstance(function, FunctionNode):
        return None
    if not _says(call, "consumeErrors") or _says(call, "fireOnOneErrback"):
        return None
    return _unread(context, function, call, call.args[:1])


def _says(call: ast.Call, name: str) -> bool:
    """`name=True`"""
    return any(
        each.arg == name and isinstance(each.value, ast.Constant) and bool(each.value.value)
        for each in call.keywords
    )


def unread_tasks(context: TreeContext, call: ast.Call) -> Unread | None:
    """`await wait(tasks)`, where neither what is done nor the tasks are looked at."""
    function, awaited = context.function_of(call), context.parent(call)
    if not isinstance(function, FunctionNode) or not isinstance(awaited, ast.Await):
        return None
    match context.parent(awaited):
        case ast.Expr():
            done = ""
        case ast.Assign([ast.Tuple([ast.Name(done), ast.Name()])]):
            pass
        case _:
            return None
    names = body_nodes(function, ast.Name)
    if any(each.id == done and isinstance(each.ctx, ast.Load) for each in names):
        return None
    # What is cancelled before has nothing more to say.
    calls = body_nodes(function, ast.Call)
    if any(last_name(each.func) == "cancel" and each.lineno < call.lineno for each in calls):
        return None
    return _unread(context, function, call, call.args[:1])


def _unread(
    context: TreeContext, function: FunctionNode, call: ast.Call, given: list[ast.expr]
) -> Unread | None:
    """The first piece of work that may fail, if nobody else looks what becomes of it."""
    names = set(_names(given))
    names |= set(_taken_out_of(context, call, names))
    if any(_is_looked_at(context, function, name, call) for name in names):
        return None
    if any(_has_callback(function, put) for put in _put_into(function, names)):
        return None
    for made in _made(context, given):
        functions = context.functions(made.func)
        called = {function.name, *(each.name for each in functions)}
        if any(context.file.vocabulary.has_bare_name(each.lstrip("_"), _ENDS) for each in called):
            continue  # When everything ends, nobody can do anything about it.
        if _is_state_asked(function, call, made):
            continue
        if any(_may_fail(context, each) for each in functions) and not sees_to_failures(
            context, made.func, context.scopes[made]
        ):
            return Unread(call, functions[0])
    return None


def _is_state_asked(function: FunctionNode, call: ast.Call, made: ast.Call) -> bool:
    """Whether the next statement asks the object that does the work how it stands.

    await wait([create_task(self.connect())])
    if self.status != CONNECTED: raise ...
    """
    if not isinstance(made.func, ast.Attribute):
        return False
    holder = ast.unparse(made.func.value)
    return any(
        behind and call in own_nodes([statement]) and _asks(behind[0], holder)
        for statement, behind in with_following(function)
    )


def _asks(statement: ast.stmt, holder: str) -> bool:
    """Whether a statement decides by an attribute of an object, and of nothing around it."""
    return isinstance(statement, ast.If | ast.While | ast.Assert) and any(
        ast.unparse(each.value) == holder or ast.unparse(each.value).startswith(f"{holder}.")
        for each in all_nodes(statement.test, ast.Attribute)
    )


def _taken_out_of(context: TreeContext, call: ast.Call, names: set[str]) -> Iterator[str]:
    """The collections that loops around a call take what some names hold out of.

    What is known of a collection is known of its elements.
    """
    for each in context.around(call):
        match each:
            case ast.For(ast.Name(name), ast.Name(collection)) if name in names:
                yield collection


def _put_into(function: FunctionNode, names: set[str]) -> Iterator[str]:
    """The local names whose values are put into collections of some names."""
    for node in body_nodes(function, ast.Call):
        match node:
            case ast.Call(ast.Attribute(ast.Name(held), adder), [ast.Name(put)]):
                if held in names and adder in APPENDERS:
                    yield put


def _has_callback(function: FunctionNode, name: str) -> bool:
    """Whether something is called when what a local name holds is done."""
    return any(
        node.attr == "add_done_callback" and is_name(node.value, name)
        for node in body_nodes(function, ast.Attribute)
    )


def _names(given: list[ast.expr]) -> Iterator[str]:
    """The local names that stand for tasks, or for collections of them."""
    for node in given:
        match node:
            case ast.Name(name):
                yield name
            case ast.Starred(inner):
                yield from _names([inner])
            case ast.List(elements) | ast.Tuple(elements) | ast.Set(elements):
                yield from _names(elements)
            case ast.BinOp(left, _, right):
                yield from _names([left, right])
            case ast.Call(ast.Attribute(holder, view)) if view in VIEWS:
                yield from _names([holder])
            case ast.Call(ast.Name(copy), [inner]) if copy in COPIES:
                yield from _names([inner])


def _made(context: TreeContext, given: list[ast.expr]) -> Iterator[ast.Call]:
    """The calls that make what is waited for, there or where a local name was bound to it."""
    for node in given:
        for part in parts(context, node):
            if not isinstance(part, ast.Call):
                continue
            inner = part.args[0] if part.args else None
            is_task = Role.TASK_STARTER in context.roles(part)
            yield inner if is_task and isinstance(inner, ast.Call) else part


def _may_fail(context: TreeContext, function: Function) -> bool:
    """Whether a coroutine function does something that may fail, and nobody around it looks."""
    code, node = code_of(function), function.implementation.tree()
    if code is None or node is None or not _is_coroutine_function(context, function):
        return False
    errors = RaisedErrors(context.resolver, code.scope)
    raised = errors.coming_out(node.body)
    if any(not _are_cancelled(context, names) for _, error in raised for names in error):
        return True
    for each in guarded(node.body):
        handlers = (handler for handlers in each.around for handler in handlers)
        # What fails in a handler has failed before, and is looked at there.
        if each.handling is not None or any(map(errors.takes_all, handlers)):
            continue
        if isinstance(each.node, ast.Assert):
            return True
        if isinstance(each.node, ast.Call) and not _is_harmless(context, each.node, code.scope):
            return True
    return False


def _is_coroutine_function(context: TreeContext, function: Function) -> bool:
    """Whether an `async def`, or a generator under `@inlineCallbacks`, has no other decorator."""
    decorators = function.facts.decorators
    if function.facts.is_async and _PLAIN.issuperset(decorators):
        return True
    return len(decorators) == 1 and Role.INLINE_CALLBACKS in context.decorator_roles(function)


def _is_harmless(context: TreeContext, call: ast.Call, scope: Scope) -> bool:
    """Whether a call ends something, only waits, or is known never to fail."""
    if last_name(call.func) == "cancel" and not call.args:
        return True
    names = context.resolver.names(call.func, scope)
    roles = context.file.vocabulary.roles(names)
    return any(name.startswith(_SAFE) for name in names) or not roles.isdisjoint(_HARMLESS)


def _are_cancelled(context: TreeContext, names: Iterable[str]) -> bool:
    return Role.CANCELLED_ERROR in context.file.vocabulary.roles(names)


def _is_looked_at(context: TreeContext, function: FunctionNode, name: str, call: ast.Call) -> bool:
    """Whether a function does more with tasks of this name than to wait for them and end them."""
    own = set(own_nodes([call]))
    for node in body_nodes(function):
        if not is_name(node, name) or node in own:
            continue
        match context.parent(node):
            case ast.For(ast.Name(element), iter=looped) if looped is node:
                if _is_looked_at(context, function, element, call):
                    return True
            case parent:
                if not _is_no_look(parent, node):
                    return True
    return False


def _is_no_look(parent: ast.AST | None, node: ast.Name) -> bool:
    """Whether tasks are bound, filled, ended or counted, but not asked what became of them."""
    match parent:
        case ast.Assign() | ast.AnnAssign():
            return isinstance(node.ctx, ast.Store)
        case ast.For(target):
            return target is node
        case ast.Attribute(_, name):
            return name in _STANDING
        case ast.Subscript(ctx=ast.Store()):
            return True
        # `if tasks:`, `if not tasks: return`, `len(tasks)`: whether there are any, and how many.
        case ast.If(test) | ast.While(test) | ast.IfExp(test):
            return test is node
        case ast.UnaryOp(ast.Not()) | ast.Call(ast.Name("len" | "bool")):
            return True
    return False
