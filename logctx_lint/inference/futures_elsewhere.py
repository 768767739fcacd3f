"""What becomes of a Future that one function hands on: to callees, attributes and callbacks.

A done callback that looks at how a task ended sees its failure, so that nobody else has to:

    task.add_done_callback(partial(self._ended, name))

    def _ended(self, name, task):
        self._report(name, task)         # Which asks for `task.exception()`.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from logctx_lint.inference.future_uses import Uses, effect_of, reads_failure
from logctx_lint.inference.known_names import FAILERS
from logctx_lint.inference.passed_arguments import positional_parameters
from logctx_lint.inference.types import FunctionType, members_of
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.modules import Class
from logctx_lint.syntax.ast_walk import all_nodes

if TYPE_CHECKING:
    from logctx_lint.inference.resolver import Resolver
    from logctx_lint.inference.summaries import Summaries

_PARTIAL = "functools.partial"
_MOST_STEPS = 3
"""From the callback to the function that asks."""


@dataclass(frozen=True)
class FollowedElsewhere:
    """What becomes of a Future that one function hands on."""

    summaries: Summaries
    scope: Scope

    def as_argument(self, call: ast.Call, argument: ast.expr) -> Uses:
        return self.summaries.passed_on(self.scope, call, argument)

    def as_attribute(self, path: str) -> Uses:
        receiver, _, name = path.rpartition(".")
        owner = self.scope.enclosing_class
        if receiver != "self" or owner is None:
            return Uses.UNKNOWN
        return self.summaries.attribute_uses(owner, name)

    def looks_at_failure(self, callback: ast.expr) -> bool:
        return _looks(self.summaries, callback, self.scope, given=0, steps=_MOST_STEPS)

    def effect_of_errback(self, errback: ast.expr) -> Uses:
        if isinstance(errback, ast.Lambda):
            return effect_of(errback)
        members = members_of(self.summaries.resolver.type_of(errback, self.scope))
        nodes = [each.function.tree() for each in members if isinstance(each, FunctionType)]
        effects = {effect_of(node) for node in nodes if node is not None}
        for effect in (Uses.CALLBACK, Uses.NOTHING):
            if effect in effects:
                return effect
        return Uses.ERRBACK


def _looks(summaries: Summaries, callback: ast.expr, scope: Scope, given: int, steps: int) -> bool:
    """Whether a callback asks the task how it ended, which comes behind some other arguments."""
    match callback:
        case ast.Lambda(args, body):
            names = [each.arg for each in (*args.posonlyargs, *args.args)][given:]
            return bool(names) and _reads(summaries, body, names[0], scope.child(callback), steps)
        case ast.Call(func, [inner, *bound]) if _PARTIAL in summaries.resolver.names(func, scope):
            if any(isinstance(each, ast.Starred) for each in bound):
                return True  # Where the task comes is not known.
            return _looks(summaries, inner, scope, given + len(bound), steps)
        case ast.Name(name) if any(
            each.kind == "parameter" for each in scope.bindings.get(name, ())
        ):
            return True  # Whoever gives it gets the task.
    members = members_of(summaries.resolver.type_of(callback, scope))
    return all(
        isinstance(each, FunctionType) and _asks(summaries, each, given, steps) for each in members
    )


def _asks(summaries: Summaries, callee: FunctionType, given: int, steps: int) -> bool:
    """Whether a function asks one of its arguments how it ended."""
    node = callee.function.tree()
    names = positional_parameters(summaries.resolver, callee)[given:]
    if node is None or not names:
        return False
    return _reads(summaries, node, names[0], Scope.of_body(callee.function, node), steps)


def _reads(summaries: Summaries, body: ast.AST, name: str, scope: Scope, steps: int) -> bool:
    """Whether code asks the task of some name how it ended, or hands it to code that does."""
    if reads_failure(body, name):
        return True
    if not steps:
        return False
    return any(
        isinstance(node, ast.Call) and _hands_on(summaries, node, name, scope, steps - 1)
        for node in all_nodes(body)
    )


def _hands_on(summaries: Summaries, call: ast.Call, name: str, scope: Scope, steps: int) -> bool:
    for index, argument in enumerate(call.args):
        if isinstance(argument, ast.Starred):
            return False
        if isinstance(argument, ast.Name) and argument.id == name:
            members = members_of(summaries.resolver.type_of(call.func, scope))
            return bool(members) and all(
                isinstance(each, FunctionType) and _asks(summaries, each, index, steps)
                for each in members
            )
    return False


def is_failed_outside(resolver: Resolver, cls: Class, name: str) -> bool:
    """Whether code of the package fails a Future that it finds in an attribute of this name."""
    return any(
        isinstance(call.func, ast.Attribute) and _is_found_in(call.func.value, scope, name)
        for method in FAILERS
        for call, scope in resolver.references.calls(method, cls.module)
    )


def _is_found_in(node: ast.expr, scope: Scope, name: str) -> bool:
    """Whether an expression is such an attribute, or a local name for one."""
    match node:
        case ast.Attribute(_, found):
            return found == name
        case ast.Name(local):
            values = [each.value for each in scope.bindings.get(local, ())]
            return any(isinstance(each, ast.Attribute) and each.attr == name for each in values)
    return False
