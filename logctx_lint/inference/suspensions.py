"""Which `await` never suspends: that of a coroutine function that awaits nothing itself.

    async def retrieve(self, query):        # No `await`, `async for` or `async with` in it, nor
        return self.retrieve_now(query)     # in what overrides it.

A task is suspended, and so cancelled, only where it waits. A method that is only there to be
overridden, and that nothing in the package overrides, may be anything.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.immediate_calls import is_immediate
from logctx_lint.inference.summaries import Summaries
from logctx_lint.inference.types import ClassObject, FunctionType, Kind, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import Suspension, body_nodes, call_arguments, returned_values
from logctx_lint.syntax.placeholders import statements

_MOST_OVERRIDES = 20
_THREADS = frozenset({Role.THREAD_STARTER})


def never_suspends(summaries: Summaries, function: Function) -> bool:
    """Whether an asynchronous function, and all that overrides it, never waits for anything."""
    function = function.implementation
    found: bool = summaries.resolver.memo.get(
        summaries.remembered,
        ("never suspends", function),
        lambda: _find(summaries, function),
        False,
    )
    return found


def calls_that_never_suspend(summaries: Summaries, func: ast.expr, scope: Scope) -> bool:
    """The same of all that a call may reach, where that is known."""
    functions = called(summaries, func, scope)
    if functions and all(never_suspends(summaries, each) for each in functions):
        return True
    return is_immediate(summaries, func, scope)


def called(summaries: Summaries, func: ast.expr, scope: Scope) -> list[Function]:
    """The functions of the project that a call may reach; none where that is not known."""
    members = list(members_of(summaries.resolver.type_of(func, scope)))
    found = [each.function for each in members if isinstance(each, FunctionType)]
    return found if len(found) == len(members) else []


def awaited_calls(node: ast.expr, scope: Scope) -> list[ast.Call]:
    """The calls of which one gives what is awaited or iterated over; none if others may do so."""
    if isinstance(node, ast.Call):
        return [node]
    if not isinstance(node, ast.Name):
        return []
    bindings = scope.reaching_name(node)
    values = [each.value for each in bindings if each.kind == "value" and not each.path]
    found = [each for each in values if isinstance(each, ast.Call)]
    return found if len(found) == len(bindings) else []


def is_suspension(summaries: Summaries, place: ast.AST, scope: Scope) -> bool:
    """Whether something may be waited for at an `await`, `async for` or `async with`."""
    match place:
        case ast.Await(value):
            calls = awaited_calls(value, scope)
            return not calls or not all(
                calls_that_never_suspend(summaries, each.func, scope) for each in calls
            )
        case ast.AsyncFor(iter=iterated) | ast.comprehension(iter=iterated, is_async=1):
            functions = [*_iterated(summaries, iterated, scope)]
            return not functions or not all(
                calls_that_never_suspend(summaries, each, scope) for each in functions
            )
        case ast.AsyncWith(items):
            return not all(_never_waits(summaries, each.context_expr, scope) for each in items)
    return True


def _iterated(summaries: Summaries, node: ast.expr, scope: Scope) -> Iterator[ast.expr]:
    """The generator functions that make what is iterated over, in a thread or here."""
    if isinstance(node, ast.Name):
        for binding in scope.reaching_name(node):
            match binding.value:
                case ast.Await(ast.Call(starter, [function, *_])):
                    if summaries.roles(starter, scope) & _THREADS:
                        yield function
    for call in awaited_calls(node, scope):
        yield call.func


def _never_waits(summaries: Summaries, manager: ast.expr, scope: Scope) -> bool:
    """Whether neither entering nor leaving an `async with` waits for anything."""
    if not isinstance(manager, ast.Call):
        return False
    if Role.TIMEOUT_SCOPE in summaries.roles(manager.func, scope):
        return True
    members = list(members_of(summaries.resolver.type_of(manager.func, scope)))
    return bool(members) and all(
        isinstance(each, ClassObject)
        and all(
            bool(methods := each.cls.function(name)) and never_suspends(summaries, methods[-1])
            for name in ("__aenter__", "__aexit__")
        )
        for each in members
    )


def may_run(summaries: Summaries, function: Function) -> list[Function]:
    """A function, and all that overrides it; none where others may do so that are not known."""
    resolver = summaries.resolver
    overrides, classes = list(resolver.references.overriding(function)), resolver.classes
    is_template = summaries.resolver.functions.is_abstract(function)
    if len(overrides) >= _MOST_OVERRIDES or (is_template and not overrides):
        return []
    if function.owner and is_template and classes.is_protocol(function.owner):
        return []  # Who implements it need not say so.
    if function.owner and not is_template and classes.is_to_be_extended(function.owner):
        # What a class that is there to be extended does itself is only a default, unless it gives
        # a value, and the classes that extend it leave that as it is.
        extended = summaries.resolver.references.subclasses(function.owner)
        if overrides or not extended or not _gives_value(function):
            return []
    return overrides if is_template else [function, *overrides]


def _gives_value(function: Function) -> bool:
    node = function.tree()
    return node is not None and any(
        not isinstance(each, ast.Constant) for each in returned_values(node)
    )


def _find(summaries: Summaries, function: Function) -> bool:
    bodies = may_run(summaries, function)
    return bool(bodies) and all(
        _has_no_suspension(summaries, each.implementation) for each in bodies
    )


def _has_no_suspension(summaries: Summaries, function: Function) -> bool:
    resolver = summaries.resolver
    node = function.source_tree()
    if node is None or not function.facts.is_async:
        return False
    if resolver.functions.decorated(function) != FunctionType(function):
        return False
    if all(_gives_constant(each) for each in statements(node.body)):
        return False  # A placeholder, for what may be anything.
    return not _waits(summaries, node, resolver.body_scopes.of(function, node))


def _waits(summaries: Summaries, node: FunctionNode, scope: Scope) -> bool:
    """Whether something in a function may wait, an `await` that was forgotten included."""
    nodes = body_nodes(node)
    if any(is_suspension(summaries, each, scope) for each in nodes if _is_asynchronous(each)):
        return True
    calls = body_nodes(node, ast.Call)
    used: set[ast.AST] = {part for each in calls for part in call_arguments(each)}
    used.update(each.value for each in body_nodes(node, ast.Await))
    kept = {each.value for each in nodes if isinstance(each, ast.Assign | ast.Return)}
    return any(
        _is_forgotten(summaries, each, scope, is_kept=each in kept)
        for each in calls
        if each not in used
    )


def _is_asynchronous(node: ast.AST) -> bool:
    return isinstance(node, Suspension) or (
        isinstance(node, ast.comprehension) and bool(node.is_async)
    )


def _is_forgotten(summaries: Summaries, call: ast.Call, scope: Scope, *, is_kept: bool) -> bool:
    """Whether the `await` of a call may have been forgotten: not that of a task that is kept."""
    answer = summaries.resolver.awaitability(summaries.resolver.type_of(call, scope))
    return answer.is_likely and not (is_kept and answer.kind is Kind.TASK)


def _gives_constant(statement: ast.stmt) -> bool:
    match statement:
        case ast.Return(None | ast.Constant()) | ast.Expr(ast.Yield(None | ast.Constant())):
            return True
    return False
