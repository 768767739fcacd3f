"""Which coroutine functions run in the tasks that an object or a function keeps.

`self._task = create_task(self._work())`, `self._tasks.append(...)`, `[create_task(f()) for ...]`:
all methods of the class are looked at, whatever their order. The tasks of a `TaskGroup` are its
own: it waits for them, whoever else keeps them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.own_class import own_methods
from logctx_lint.analysis.units import units
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import APPENDERS
from logctx_lint.inference.types import UNKNOWN
from logctx_lint.project.facts import FunctionNode
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    body_nodes,
    last_name,
    own_attribute,
    own_nodes,
    own_place,
)

_STARTERS = frozenset({Role.TASK_STARTER})
_LOOPS = frozenset({Role.EVENT_LOOP})
_OF_ANOTHER_THREAD = "run_coroutine_threadsafe"
"""Gives a future that this thread cannot await, and that is done as soon as it is cancelled."""
_ADDERS = APPENDERS | {"extend"}


def run_by_attribute(context: TreeContext, name: str) -> list[Function]:
    """What runs in the tasks that `self.NAME` is, or holds."""
    found: list[Function] = []
    for method in own_methods(context):
        calls = list(_kept_in(method, name))
        inside = _inside(context, method) if calls else context
        for call in calls:
            found += _run_by(inside, call)
    return found


def _inside(context: TreeContext, method: FunctionNode) -> TreeContext:
    """The context of a method of the class that the unit is in."""
    file = context.file
    unit = next((each for each in units(file, file.tree) if each.node is method), context.unit)
    return context if unit.node is context.unit.node else TreeContext(unit, [])


def run_by_local(context: TreeContext, name: ast.Name) -> list[Function]:
    """What runs in the task that a local name is."""
    scope = context.scopes[name]
    found: list[Function] = []
    for binding in scope.reaching_name(name):
        if binding.kind == "value" and binding.value is not None:
            for call in _starts(binding.value):
                found += _run_by(context, call)
    return found


def _kept_in(method: FunctionNode, name: str) -> Iterator[ast.Call]:
    """The task starts of a method whose task goes to an attribute of the object."""
    names: set[str] = set()
    nodes = list(body_nodes(method))
    for node in nodes:
        value = _value_for(node, name)
        if value is not None:
            yield from _starts(value)
            names.update(each.id for each in all_nodes(value, ast.Name))
    for node in nodes:
        # `task = create_task(f()); self._tasks.add(task)`
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, ast.Name) and target.id in names:
                yield from _starts(node.value)


def _value_for(node: ast.AST, name: str) -> ast.expr | None:
    """What a statement or call puts into `self.NAME`."""
    match node:
        case ast.Assign(targets, value):
            if name in map(own_place, targets):
                return value
        case ast.AnnAssign(target, _, ast.expr() as value):
            return value if own_place(target) == name else None
        case ast.Call(ast.Attribute(receiver, method), [value]) if method in _ADDERS:
            return value if own_attribute(receiver) == name else None
    return None


def _starts(value: ast.expr) -> Iterator[ast.Call]:
    """The calls of one argument, a call, in an expression: they may start tasks.

    A timer that starts one when its time has come is none: `call_later(5, lambda: spawn(f()))`.
    """
    for node in own_nodes([value]):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Call):
            yield node


def _run_by(context: TreeContext, call: ast.Call) -> list[Function]:
    """The coroutine function whose coroutine a call makes a task of, if it does."""
    made = call.args[0]
    assert isinstance(made, ast.Call)
    if not context.file.may_play(call.func, _STARTERS) or not _starts_lone(context, call):
        return []
    if last_name(call.func) == _OF_ANOTHER_THREAD:
        return []
    found = context.functions(made.func)
    return [each for each in found if each.facts.is_async and not each.facts.is_generator]


def _starts_lone(context: TreeContext, call: ast.Call) -> bool:
    """Whether nobody waits by himself for a task that a call may start, as a group does."""
    roles = context.roles(call)
    if roles & _STARTERS or Role.NURSERY_STARTER in roles:
        return Role.NURSERY_STARTER not in roles
    match call.func:
        case ast.Attribute(receiver) if context.type_of(call.func) == UNKNOWN:
            # Of a group, an application or a loop.
            return context.file.may_play(receiver, _LOOPS)
    return True
