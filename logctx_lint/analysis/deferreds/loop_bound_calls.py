"""Calls that only the thread of the event loop or reactor may make, in code that a thread runs."""

from __future__ import annotations

import ast

from logctx_lint.analysis.called_code import Code, reached
from logctx_lint.analysis.context import TreeContext, in_source_order
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.types import Instance, Unknown, callees_of, members_of
from logctx_lint.syntax.ast_walk import last_name

ASKING = frozenset(
    {
        "isInIOThread",
        "get_ident",
        "current_thread",
        "get_running_loop",
        "_get_running_loop",
        "new_event_loop",
        "set_event_loop",
    }
)
"""What code calls that looks where it runs, or has a loop of its own."""
_LOOP = "asyncio.events.AbstractEventLoop"
_EVENT_LOOPS = frozenset({Role.EVENT_LOOP})
_LOOP_BOUND = frozenset({Role.LOOP_BOUND})


def first_bound(
    context: TreeContext, starts: list[Code]
) -> tuple[tuple[ast.Call, Code] | None, bool]:
    """What must not be called in some code, and whether only names tell that it is reached."""
    for by_name in (False, True):
        codes = list(reached(context.file, starts, by_name=by_name))
        if any(asks_where_it_runs(context, code) for code in codes):
            return None, False
        found = loop_bound(context, codes)
        if found:
            return found, by_name
    return None, False


def loop_bound(context: TreeContext, codes: list[Code]) -> tuple[ast.Call, Code] | None:
    """The first call in some code that only the thread of the loop may make."""
    for code in codes:
        for inner in in_source_order(each for each in code.nodes if isinstance(each, ast.Call)):
            is_bound = Role.LOOP_BOUND in context.file.roles(inner.func, code.scope)
            if (is_bound and _is_surely(context, inner, code)) or _is_loops(context, inner, code):
                return inner, code
    return None


def _is_surely(context: TreeContext, call: ast.Call, code: Code) -> bool:
    """Whether no method that may be called is one of another class, which threads may use."""
    file = context.file
    return all(
        Role.LOOP_BOUND in file.vocabulary.roles([each.function.qualified_name])
        for each in callees_of(file.resolver.type_of(call.func, code.scope))
        if each.function.module.is_stub
    )


def _is_loops(context: TreeContext, call: ast.Call, code: Code) -> bool:
    """`loop.create_task(...)`, `self._reactor.callLater(...)` on what only its name tells of."""
    if not isinstance(call.func, ast.Attribute):
        return False
    receiver, vocabulary = call.func.value, context.file.vocabulary
    type_ = context.resolver.type_of(receiver, code.scope)
    return (
        isinstance(receiver, ast.Name | ast.Attribute)
        and vocabulary.has_bare_name(last_name(receiver), _EVENT_LOOPS)
        and vocabulary.has_bare_name(call.func.attr, _LOOP_BOUND)
        and all(isinstance(each, Unknown) for each in members_of(type_))
    )


def asks_where_it_runs(context: TreeContext, code: Code) -> bool:
    file = context.file
    for node in code.nodes:
        if last_name(node) in ASKING:
            return True
        if isinstance(node, ast.Call) and Role.LOOP_RUNNER in file.roles(node.func, code.scope):
            return True
        if isinstance(node, ast.Compare) and _compares_loops(context, node, code):
            return True
    return False


def _compares_loops(context: TreeContext, node: ast.Compare, code: Code) -> bool:
    """`self.loop is current_loop()`: which of them runs here."""
    sides = [node.left, *node.comparators]
    return not any(isinstance(each, ast.Constant) for each in sides) and any(
        isinstance(member, Instance) and member.cls.qualified_name == _LOOP
        for each in sides
        for member in members_of(context.resolver.type_of(each, code.scope))
    )
