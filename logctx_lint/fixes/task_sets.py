"""Keeping a task in the set that a class or module has for its tasks already.

self._tasks: set[asyncio.Task[None]] = set()
...
task = asyncio.create_task(send())
self._tasks.add(task)
task.add_done_callback(self._tasks.discard)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from logctx_lint.analysis.awaitables.expected_types import function_scope
from logctx_lint.analysis.context import TreeContext, loops
from logctx_lint.findings import Applicability, Fix
from logctx_lint.fixes.edits import after, before
from logctx_lint.fixes.import_edits import insertion
from logctx_lint.inference.narrowing import dotted
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes

_NAMES = ("task", "started_task")
_OF_TASKS = re.compile(r"\b(Task|Future)\b")
_GENERAL = re.compile("task|background|job|running|future", re.IGNORECASE)
_FILLING = frozenset({"add", "discard", "remove"})


def task_set(context: TreeContext, call: ast.Call) -> str:
    """The dotted name of the set that tasks started at `call` belong in; empty if there is none."""
    scope, tree = context.scopes[call], context.file.tree
    method, owner = scope.method, scope.enclosing_class
    if method and owner and method.function:
        is_instance_s = context.resolver.bindings.first_parameter(method.function) == "self"
        for node in all_nodes(tree):
            if isinstance(node, ast.ClassDef) and node.name == owner.name:
                own = (
                    each
                    for each in _task_sets(node)
                    if each.startswith("self.") and _takes_any(each, node)
                )
                if is_instance_s and (name := next(own, "")):
                    return "" if _ends_with(name, call, node) else name
    found = (each for each in _task_sets(tree) if _is_global(each, tree, scope))
    return next((each for each in found if _takes_any(each, tree)), "")


def _takes_any(name: str, tree: ast.AST) -> bool:
    """Whether a set is there for tasks of any kind: it is called so, or only keeps them.

    Whoever waits for `self.interrupted_commits` waits for commits, and for nothing else.
    """
    if _GENERAL.search(name):
        return True
    targets = {id(target) for node in all_nodes(tree) for target, _, _ in _made(node)}
    filled = {id(each.value) for each in all_nodes(tree, ast.Attribute) if each.attr in _FILLING}
    return all(
        id(node) in targets | filled
        for node in all_nodes(tree)
        if isinstance(node, ast.Name | ast.Attribute) and dotted(node) == name
    )


def _ends_with(name: str, call: ast.Call, owner: ast.ClassDef) -> bool:
    """Whether the work that a call starts itself waits for the tasks of a set, or ends them.

    `create_task(self.restart())`, where `restart()` calls the method that stops them all: kept
    there, it would wait for itself.
    """
    methods = {each.name: each for each in owner.body if isinstance(each, FunctionNode)}
    todo = [each.attr for each in all_nodes(call, ast.Attribute)]
    seen: set[str] = set()
    while todo:
        method = todo.pop()
        if method in methods and method not in seen:
            seen.add(method)
            nodes = list(all_nodes(methods[method]))
            attributes = [each for each in nodes if isinstance(each, ast.Attribute)]
            filled = {each.value for each in attributes if each.attr in _FILLING}
            if any(dotted(each) == name and each not in filled for each in attributes):
                return True
            todo += [each.attr for each in attributes]
    return False


def _is_global(name: str, tree: ast.Module, scope: Scope) -> bool:
    bound = {dotted(target) for each in tree.body for target, _, _ in _made(each)}
    inner: Scope | None = scope
    while inner:
        if name in inner.bindings and inner.node is not None:
            return False
        inner = inner.parent
    return name in bound


def _task_sets(tree: ast.AST) -> Iterator[str]:
    """The names under which code makes sets, if they are declared or seen to hold tasks."""
    seen = set(_left_when_done(tree))
    for node in all_nodes(tree):
        for target, annotation, value in _made(node):
            name = dotted(target)
            says_so = annotation is not None and _OF_TASKS.search(ast.unparse(annotation))
            if name and _is_new_set(value) and (says_so or name in seen):
                yield name


def _made(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr | None, ast.expr]]:
    match node:
        case ast.Assign([target], value):
            yield target, None, value
        case ast.AnnAssign(target, annotation, ast.expr() as value):
            yield target, annotation, value


def _is_new_set(value: ast.expr) -> bool:
    match value:
        case ast.Call(ast.Name("set"), [], []):
            return True
    return False


def _left_when_done(tree: ast.AST) -> Iterator[str]:
    """The names of what tasks are taken out of by a callback: `t.add_done_callback(x.discard)`."""
    for node in all_nodes(tree):
        match node:
            case ast.Call(
                ast.Attribute(_, "add_done_callback"),
                [ast.Attribute(receiver, "discard" | "remove")],
            ):
                yield dotted(receiver)


def starts_by_asyncio(tree: ast.Module) -> bool:
    """Whether `asyncio.create_task` is at hand in a module."""
    return any(
        isinstance(each, ast.Import)
        and any(item.name == "asyncio" and item.asname is None for item in each.names)
        for each in tree.body
    )


def keep_fix(context: TreeContext, call: ast.Call, name: str, starter: str = "") -> tuple[Fix, ...]:
    """Give the task that a statement starts a name, and keep it in the set `name` until it is done.

    What is no task yet, `starter` makes one.
    """
    statement = context.parent(call)
    if not isinstance(statement, ast.Expr) or context.is_parenthesized(call):
        return ()
    if any(each.lineno == statement.end_lineno for each in context.behind(statement)):
        return ()
    scope = function_scope(context.scopes[call])
    if scope.node is None or getattr(scope.node, "name", "") == "__del__":
        return ()  # What is kept by an object that goes would go with it, or keep it.
    if any(dotted(loop.iter) == name for each in context.around(call) for loop in loops(each)):
        return ()  # A set must not grow while it is looped over.
    # A name that is only read here, too, would become another one.
    taken = {each.id for each in all_nodes(scope.node, ast.Name)}
    taken.update(scope.bindings)
    task = next((each for each in _NAMES if each not in taken), None)
    if task is None:
        return ()
    span = context.span(call)
    lines = context.file.source.lines
    indent = lines[span.line - 1][: span.column]
    last = lines[span.end_line - 1].rstrip("\r\n")
    if indent.strip():
        return ()
    behind = f"\n{indent}{name}.add({task})\n{indent}{task}.add_done_callback({name}.discard)"
    opening, closing = (f"{starter}(", ")") if starter else ("", "")
    if starter and len(last) == span.end_column:
        edits = [insertion(span.end_line, len(last), f"{closing}{behind}")]
    else:
        edits = [after(context, call, closing)] if starter else []
        edits.append(insertion(span.end_line, len(last), behind))
    edits.insert(0, before(context, call, f"{task} = {opening}"))
    return (Fix(f"Keep it in {name} until it is done", Applicability.UNSAFE, tuple(edits)),)
