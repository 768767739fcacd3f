"""Requests on a connection that is closed when they fail, but not when they are cancelled half-way.

try:
    return await self._exchange(request)    # Writes, and waits for the answer.
except Exception:
    await self.close()                      # Where it is cancelled, the next request
    raise                                   # reads the answer to this one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.cancellation.state_changes import called
from logctx_lint.analysis.context import TreeContext, arguments, as_try
from logctx_lint.analysis.own_class import own_methods
from logctx_lint.config.vocabulary import Role
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import own_nodes

_RELEASERS = frozenset({Role.RELEASER})
_WRITES = frozenset({"write", "writelines", "drain", "sendall", "sock_sendall", "send_bytes"})
_READS = frozenset(
    {"read", "readline", "readexactly", "readuntil", "recv", "sock_recv", "receive_bytes"}
)


def closed_where_it_fails(
    context: TreeContext, attempt: ast.Try, handler: ast.ExceptHandler
) -> ast.Call | None:
    """The call by which a handler closes the own connection, if the `try` uses that both ways."""
    closing = next(
        (call for call in _own_calls(handler.body) if context.file.may_play(call.func, _RELEASERS)),
        None,
    )
    if closing is None or _is_closed_at_ends(context, attempt, ast.unparse(closing.func)):
        return None
    text = context.file.source.text
    if not any(f".{name}(" in text for name in _READS):
        return None
    methods = {each.name: each for each in own_methods(context)}
    used = {name for node in _with_callees(attempt.body, methods) for name in _stream_call(node)}
    return closing if used & _WRITES and used & _READS else None


def given_back_unclosed(
    context: TreeContext, attempt: ast.Try, handler: ast.ExceptHandler
) -> tuple[ast.stmt, ast.Call] | None:
    """What a handler does so that a connection is not used again, and the call of the `finally`
    that gives it back, as it does after a cancellation, too.

    except Exception:
        connection.close()              # Or `broken = True`, and `release(connection, broken)`.
        raise
    finally:
        self.pool.release(connection)
    """
    for statement in attempt.finalbody:
        call = called(statement) if isinstance(statement, ast.Expr) else None
        if call is None or not context.file.may_play(call.func, _RELEASERS):
            continue
        given = [each for each in arguments(call) if isinstance(each, ast.Name)]
        names = [each.id for each in given[:1] if _is_waited_with(attempt.body, each.id)]
        final = [each.id for each in own_nodes(attempt.finalbody, ast.Name)]
        if not names or final.count(names[0]) != 1:
            continue
        for marking in handler.body:
            if _marks(context, marking, names[0], {each.id for each in given[1:]}):
                return marking, call
    return None


def _is_waited_with(body: list[ast.stmt], name: str) -> bool:
    return any(
        isinstance(node, ast.Await)
        and any(isinstance(each, ast.Name) and each.id == name for each in own_nodes([node]))
        for node in own_nodes(body)
    )


def _marks(context: TreeContext, statement: ast.stmt, name: str, flags: set[str]) -> bool:
    """Whether a statement closes what a name holds, or sets a flag that says it is broken."""
    match statement:
        case ast.Assign([ast.Name(flag)], ast.Constant(bool())):
            return flag in flags
    call = called(statement) if isinstance(statement, ast.Expr) else None
    if call is None or not isinstance(call.func, ast.Attribute):
        return False
    place = call.func.value
    while isinstance(place, ast.Attribute):
        place = place.value
    ends = call.func.attr == "set_exception" or context.file.may_play(call.func, _RELEASERS)
    return ends and isinstance(place, ast.Name) and place.id == name


def _own_calls(body: list[ast.stmt]) -> Iterator[ast.Call]:
    """`self.close()`, awaited or not, as statements of a block."""
    for statement in body:
        value = statement.value if isinstance(statement, ast.Expr) else None
        value = value.value if isinstance(value, ast.Await) else value
        match value:
            case ast.Call(ast.Attribute(ast.Name("self"))):
                yield value


def _with_callees(
    body: list[ast.stmt], methods: dict[str, FunctionNode], depth: int = 2
) -> Iterator[ast.AST]:
    """Some code, and that of the methods of the object that it awaits."""
    for node in own_nodes(body):
        yield node
        match node:
            case ast.Await(ast.Call(ast.Attribute(ast.Name("self"), name))):
                if depth and name in methods:
                    yield from _with_callees(methods[name].body, methods, depth - 1)


def _stream_call(node: ast.AST) -> Iterator[str]:
    """What is done with a stream that the object keeps: `self.reader.readline()`."""
    match node:
        case ast.Call(ast.Attribute(ast.Attribute(ast.Name("self")), name)):
            yield name


def _is_closed_at_ends(context: TreeContext, attempt: ast.Try, closer: str) -> bool:
    """Whether a `finally`, or a handler further out, closes it in any case."""
    for outer in (attempt, *context.around(attempt)):
        found = as_try(outer)
        if isinstance(outer, FunctionNode):
            return False
        if found is None:
            continue
        bodies = [found.finalbody]
        if found is not attempt:
            bodies += [each.body for each in found.handlers]
        for body in bodies:
            if any(ast.unparse(call.func) == closer for call in _own_calls(body)):
                return True
    return False
