"""Reads of the current context in code that runs in the context of its starter."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from logctx_lint.analysis.called_code import Code
from logctx_lint.analysis.context import in_source_order
from logctx_lint.analysis.log_contexts.log_contexts import reads_current
from logctx_lint.analysis.units import File
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.class_members import enclosing_scope

_BINDING = frozenset({Role.CONTEXT_TOKEN, Role.CONTEXT_BINDING, Role.CONTEXT_MANAGER})


def first_read(
    file: File, codes: Iterable[Code], reader: Role = Role.CONTEXT_READER
) -> tuple[str, Code] | None:
    """The first call that reads the context, and where; None if the code binds something to it.

    What a library gives once the code has begun a span of that library is its own, too.
    """
    found: tuple[str, Code] | None = None
    begun: set[str] = set()
    for code in codes:
        if found is None and reader is Role.TRACING_SPAN and (name := _span_around(file, code)):
            found = name, code
        for call in in_source_order(each for each in code.nodes if isinstance(each, ast.Call)):
            roles = file.roles(call.func, code.scope)
            if roles & _BINDING:
                return None
            if (
                found is None
                and reader in roles
                and (reader is not Role.CONTEXT_READER or _is_callers(file, call, code, begun))
            ):
                found = f"{ast.unparse(call.func)}()", code
            if Role.TRACING_SPAN in roles:
                begun |= _libraries(file, call, code)
    return found


def _span_around(file: File, code: Code) -> str | None:
    """The decorator that runs a function in a span of its own: `@sentry_sdk.trace`."""
    function = code.function
    if function is None:
        return None
    for text in function.facts.decorators:
        names = file.resolver.names_of_text(text, enclosing_scope(function))
        if Role.TRACING_SPAN in file.vocabulary.roles(names):
            return f"@{text}"
    return None


def _is_callers(file: File, call: ast.Call, code: Code, begun: set[str]) -> bool:
    """Whether a call that reads gives what the code was started with."""
    is_current = reads_current(file, call, code.scope)
    return is_current and begun.isdisjoint(_libraries(file, call, code))


def _libraries(file: File, call: ast.Call, code: Code) -> set[str]:
    names = file.resolver.names(call.func, code.scope)
    return {name.partition(".")[0] for name in names}
