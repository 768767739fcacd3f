"""Locks, queues and events of asyncio that two event loops use, of which one runs in a thread.

lock = asyncio.Lock()

class Scheduler(Thread):
    def run(self):
        asyncio.run(self.work())    # A loop of its own, where `work()` waits for the lock, which
                                    # belongs to whichever loop had to wait for it first.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.call_sites import calls_of
from logctx_lint.analysis.called_code import Code, code_of, reached
from logctx_lint.analysis.context import TreeContext
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.passed_arguments import passed
from logctx_lint.inference.types import Instance, functions_of, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import all_nodes, last_name

_OF_ASYNCIO = ("asyncio.locks.", "asyncio.queues.")
_WAITING = frozenset({"acquire", "get", "join", "put", "wait", "wait_for"})


@dataclass(frozen=True, slots=True)
class SharedBetweenLoops:
    """Where a thread's own loop begins, what it uses there, and where."""

    begins: ast.AST
    place: str
    code: Code
    line: int


def shared_with_thread(context: TreeContext, starts: list[Code]) -> Iterator[SharedBetweenLoops]:
    """What code that a thread runs uses in a loop of its own, and others of the module do, too."""
    for start in starts:
        for call in start.nodes:
            if not isinstance(call, ast.Call) or not call.args:
                continue
            if Role.LOOP_RUNNER not in context.file.roles(call.func, start.scope):
                continue
            codes = _run_by(context, call.args[0], start.scope)
            own = {each.function for each in codes}
            for code in codes:
                for place, line in _uses(context, code):
                    is_shared = place.id not in code.scope.bindings and _is_of_module(code, place)
                    if is_shared and _is_used_by_others(context, place.id, code, own):
                        yield SharedBetweenLoops(call, place.id, code, line)
                        return


def handed_to_loop(context: TreeContext, call: ast.Call) -> SharedBetweenLoops | None:
    """`Thread(target=asyncio.run, args=(work(queue),))`, of a queue of this loop."""
    given = {each.arg: each.value for each in call.keywords}
    target, rest = given.get("target"), given.get("args")
    if target is None or Role.LOOP_RUNNER not in context.roles(target):
        return None
    match rest:
        case ast.Tuple([ast.Call() as made, *_]):
            pass
        case _:
            return None
    functions = functions_of(context.type_of(made.func))
    code = code_of(functions[0]) if len(functions) == 1 else None
    if code is None:
        return None
    parameters = dict(passed(context.resolver, made, functions[0]))
    for place, line in _uses_of(code, parameters):
        value = parameters[place.id]
        if _is_of_asyncio(context, value, context.scopes[value]):
            return SharedBetweenLoops(made, ast.unparse(value), code, line)
    return None


def _run_by(context: TreeContext, made: ast.expr, scope: Scope) -> list[Code]:
    """The code of the coroutine that a loop is given to run."""
    if not isinstance(made, ast.Call):
        return []
    functions = functions_of(context.resolver.type_of(made.func, scope))
    starts = [code for each in functions if (code := code_of(each))]
    return list(reached(context.file, starts)) if len(starts) == 1 else []


def _uses(context: TreeContext, code: Code) -> Iterator[tuple[ast.Name, int]]:
    """The names that some code waits with, of what belongs to a loop."""
    for place, line in _waits(code):
        if _is_of_asyncio(context, place, code.scope):
            yield place, line


def _uses_of(code: Code, names: dict[str, ast.expr]) -> Iterator[tuple[ast.Name, int]]:
    return ((place, line) for place, line in _waits(code) if place.id in names)


def _waits(code: Code) -> Iterator[tuple[ast.Name, int]]:
    for node in code.nodes:
        match node:
            case ast.AsyncWith(items):
                for item in items:
                    if isinstance(item.context_expr, ast.Name):
                        yield item.context_expr, node.lineno
            case ast.Await(ast.Call(ast.Attribute(ast.Name() as place, name))) if name in _WAITING:
                yield place, node.lineno


def _is_of_asyncio(context: TreeContext, node: ast.expr, scope: Scope) -> bool:
    members = members_of(context.resolver.type_of(node, scope))
    return bool(members) and all(
        isinstance(each, Instance) and each.cls.qualified_name.startswith(_OF_ASYNCIO)
        for each in members
    )


def _is_of_module(code: Code, place: ast.Name) -> bool:
    return place.id in code.scope.module.facts.variables


def _is_used_by_others(
    context: TreeContext, name: str, code: Code, own: set[Function | None]
) -> bool:
    """Whether coroutines that the thread does not run use it, too, or call what does."""
    names = {each.name for each in own if each is not None}
    if code.scope.module is context.file.module and any(
        function.name not in names and any(_is_named(each, name) for each in all_nodes(function))
        for function in all_nodes(context.file.tree, ast.AsyncFunctionDef)
    ):
        return True
    if code.function is None:
        return False
    callers = (scope.function for _, scope, _ in calls_of(context.resolver, code.function))
    return any(each is not None and each.facts.is_async and each not in own for each in callers)


def _is_named(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and last_name(node) == name
