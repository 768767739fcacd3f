"""Which of a project's own functions seem to play a role that its vocabulary does not name yet.

A function that hands its own parameter to something with a role often has that role itself:

    def spawn(work):                              # background-starter: takes a function
        task = asyncio.create_task(work())
        TASKS.add(task)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.config.role_lookup import Vocabulary
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.resolver import Resolver
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.modules import Function
from logctx_lint.syntax.ast_walk import body_nodes

_PASSED_ON = (
    Role.BACKGROUND_PROCESS,
    Role.BACKGROUND_STARTER,
    Role.YIELDABLE_WRAPPER,
    Role.CANCELLATION_DELAYER,
    Role.CANCELLATION_SHIELD,
    Role.NURSERY_STARTER,
    Role.TASK_STARTER,
)
"""Roles that somebody who calls one of them may have himself, the more special ones first."""
_OF_RESULTS = frozenset(
    {Role.YIELDABLE_WRAPPER, Role.CANCELLATION_DELAYER, Role.CANCELLATION_SHIELD}
)
"""Roles of functions that give back, or wait for, what they are given."""


@dataclass(frozen=True, slots=True, order=True)
class Suggestion:
    """A role for a function, with the reason."""

    role: Role
    name: str
    """Qualified, as the vocabulary wants it."""
    why: str


def suggestions(
    function: Function, resolver: Resolver, vocabulary: Vocabulary
) -> Iterator[Suggestion]:
    """The role that a function seems to play, if it is not known for one yet."""
    node = function.tree()
    if node is None or vocabulary.roles([function.qualified_name]):
        return
    scope = Scope.of_body(function, node)
    parameters = {each.arg for each in (*node.args.posonlyargs, *node.args.args)} - {"self", "cls"}
    given = {
        inner
        for statement in body_nodes(node)
        if isinstance(statement, ast.Return | ast.Await) and statement.value
        for inner in ast.walk(statement.value)
    }
    for call in body_nodes(node):
        if isinstance(call, ast.Call) and _is_handed(call, parameters):
            roles = vocabulary.roles(resolver.names(call.func, scope))
            role = _role_by(call, roles, is_given=call in given)
            if role is not None:
                place = function.module.place_of(function)
                why = f"hands its argument to {ast.unparse(call.func)}(), {place}"
                yield Suggestion(role, function.qualified_name, why)
                return


def _role_by(call: ast.Call, roles: frozenset[Role], *, is_given: bool) -> Role | None:
    """The role of who makes this call, and gives back or awaits its result if `is_given`."""
    role = next((each for each in _PASSED_ON if each in roles), None)
    if role in _OF_RESULTS and not is_given:
        return None
    if role is Role.TASK_STARTER and not is_given:
        # It keeps the task, or gives it to somebody who does.
        calls_it = any(isinstance(each, ast.Call) for each in call.args)
        return Role.BACKGROUND_STARTER if calls_it else Role.NURSERY_STARTER
    return role


def _is_handed(call: ast.Call, parameters: set[str]) -> bool:
    """Whether a call is given a parameter, or what calling a parameter gives."""
    for argument in call.args:
        value = argument.func if isinstance(argument, ast.Call) else argument
        if isinstance(value, ast.Name) and value.id in parameters:
            return True
    return False
