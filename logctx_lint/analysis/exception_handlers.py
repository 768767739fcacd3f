"""Which cancellations an `except` clause catches, and which exceptions are cancellations."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import Flag

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.units import File
from logctx_lint.config.role_lookup import Vocabulary
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.raised_errors import exception_names
from logctx_lint.inference.resolver import Resolver
from logctx_lint.inference.types import ClassObject
from logctx_lint.inference.use_def import Scope
from logctx_lint.syntax.ast_walk import assignments, body_nodes, is_name, own_nodes


class Cancellation(Flag):
    """Whose cancellation can come out of an await."""

    NONE = 0
    TWISTED = 1
    ASYNCIO = 2
    TRIO = 4


_ASYNCIO_NAMES = frozenset({"asyncio.exceptions.CancelledError", "asyncio.CancelledError"})


@dataclass(frozen=True, slots=True)
class Caught:
    """Which cancellations an `except` clause catches, and whether it says so by name."""

    cancellation: Cancellation
    by_name: bool
    named: Cancellation = Cancellation.NONE
    """Those whose error it names, as opposed to a class above that."""


_ABOUT_ITS_KIND = frozenset({"isinstance", "type", "str", "repr", "bool", "len", "hasattr"})
"""What says the same of every cancellation."""
_ANY = Cancellation.TWISTED | Cancellation.ASYNCIO | Cancellation.TRIO
_ANYIO = Cancellation.ASYNCIO | Cancellation.TRIO
BARE = Caught(_ANY, False)


def caught_by(context: TreeContext, clause: ast.expr | None) -> Caught:
    """What an `except` clause (None: a bare one), or an argument of `suppress`, catches."""
    if clause is None:
        return BARE
    return caught(context.resolver, context.file.vocabulary, clause, context.scopes[clause])


def caught(resolver: Resolver, vocabulary: Vocabulary, clause: ast.expr, scope: Scope) -> Caught:
    """The same of a clause that is there."""
    cancellation = named = Cancellation.NONE
    for names in exception_names(resolver, clause, scope):
        if Role.CANCELLED_ERROR in vocabulary.roles(names):
            named |= _meant(names)
        elif "builtins.BaseException" in names:
            cancellation |= _ANY
        elif "builtins.Exception" in names:
            cancellation |= Cancellation.TWISTED
    return Caught(cancellation | named, bool(named), named)


def catches_asyncio(file: File, handler: ast.ExceptHandler, scope: Scope) -> bool:
    """Whether asyncio's cancellation comes to a handler that is read in a scope."""
    if handler.type is None:
        return True
    found = caught(file.resolver, file.vocabulary, handler.type, scope)
    return Cancellation.ASYNCIO in found.cancellation


def _meant(names: tuple[str, ...]) -> Cancellation:
    """Whose cancelled error a class, or the function that gives it, is."""
    roots = {name.partition(".")[0] for name in names}
    if "anyio" in roots:
        return _ANYIO
    if "trio" in roots:
        return Cancellation.TRIO
    return Cancellation.ASYNCIO if _ASYNCIO_NAMES & set(names) else Cancellation.TWISTED


_OF_THREADS = frozenset(
    {"concurrent.futures.CancelledError", "concurrent.futures._base.CancelledError"}
)
"""What tells a thread that waits for a coroutine of a cancellation."""


def is_cancelled(
    resolver: Resolver, vocabulary: Vocabulary, raised: ast.expr, scope: Scope
) -> bool:
    """Whether what is raised is a cancelled error, or of a class derived from one."""
    named = raised.func if isinstance(raised, ast.Call) else raised
    definition, names = resolver.define(named, scope)
    if Role.CANCELLED_ERROR in vocabulary.roles(names) or not _OF_THREADS.isdisjoint(names):
        return True
    return isinstance(definition, ClassObject) and any(
        Role.CANCELLED_ERROR in vocabulary.roles(resolver.classes.names(each))
        for each, _ in resolver.classes.ancestors(definition.cls)
    )


def is_chosen_by_call(handler: ast.ExceptHandler) -> bool:
    """Whether a function that is handed the exception decides what becomes of it.

    except BaseException as error:
        if not retry_on(error):   # Cancellations may be among those that it lets out.
            raise

    The answer may have a name: `ok = cm.__exit__(type(error), error, None)`, `if not ok: raise`.
    """
    tests = [each.test for each in body_nodes(handler, ast.If)]
    asked = {each.id for test in tests for each in own_nodes([test]) if isinstance(each, ast.Name)}
    answers = [
        value
        for target, value in assignments(body_nodes(handler))
        if isinstance(target, ast.Name) and target.id in asked
    ]
    return any(
        not (isinstance(each.func, ast.Name) and each.func.id in _ABOUT_ITS_KIND)
        and any(is_name(given, handler.name or "") for given in each.args)
        for each in own_nodes([*tests, *answers], ast.Call)
    )
