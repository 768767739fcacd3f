"""Deferreds and Futures that a thread completes, where only the caller knows that they are some.

def request(self, key):                         def _work(self, key):
    d = self.waiting[key] = Deferred()              self.waiting.pop(key).callback(1)
    reactor.callInThread(self._work, key)
    return d
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from logctx_lint.analysis.called_code import Code
from logctx_lint.analysis.context import TreeContext, in_source_order
from logctx_lint.analysis.deferreds.stored_elements import stored_in_mapping
from logctx_lint.inference.known_names import COMPLETERS
from logctx_lint.inference.types import Kind, Unknown, members_of

_COMPLETED = frozenset({Kind.DEFERRED, Kind.FUTURE})
_TAKERS = frozenset({"pop"})


def completed_by_thread(
    context: TreeContext, call: ast.Call, node: ast.expr, codes: list[Code]
) -> tuple[ast.Call, Code] | None:
    """Where code that a call starts in a thread completes what was put into a mapping, or what the
    call hands over. `node`: the function that is started."""
    handed = _handed(context, call, node, codes[:1])
    for code in codes:
        names = handed if code is codes[0] else frozenset()
        for inner in in_source_order(each for each in code.nodes if isinstance(each, ast.Call)):
            match inner.func:
                case ast.Attribute(receiver, name) if name in COMPLETERS:
                    if getattr(receiver, "id", "") in names or _is_stored(context, receiver, code):
                        return inner, code
    return None


def _handed(
    context: TreeContext, call: ast.Call, node: ast.expr, started: Iterable[Code]
) -> frozenset[str]:
    """The parameters of what is started that a Deferred or Future is handed over for.

    `callInThread(self._work, key, d)`, `Thread(target=self._work, args=(key, d))`
    """
    functions = [each.function for each in started if each.function is not None]
    parameters = [
        each.name for f in functions for each in f.facts.parameters if each.name != "self"
    ]
    return frozenset(
        name
        for name, value in zip(parameters, _given(call, node), strict=False)
        if (answer := context.awaitability(value)).is_certain and answer.kind in _COMPLETED
    )


def _given(call: ast.Call, node: ast.expr) -> list[ast.expr]:
    """What a function that a call starts is given."""
    if node in call.args:
        return call.args[call.args.index(node) + 1 :]
    for each in call.keywords:
        if each.arg == "args" and isinstance(each.value, ast.Tuple | ast.List):
            return each.value.elts
    return []


def _is_stored(context: TreeContext, receiver: ast.expr, code: Code) -> bool:
    """Whether a value of no known type is looked up where only such as these are put."""
    type_ = context.resolver.type_of(receiver, code.scope)
    if not all(isinstance(each, Unknown) for each in members_of(type_)):
        return False
    if isinstance(receiver, ast.Name):
        bindings = code.scope.reaching_name(receiver)
        values = [each.value for each in bindings if each.kind == "value" and not each.path]
        if len(values) != 1 or len(bindings) != 1 or values[0] is None:
            return False
        receiver = values[0]
    match receiver:
        case ast.Call(ast.Attribute(container, name), [key, *_]) if name in _TAKERS:
            receiver = ast.Subscript(container, key)
    stored = stored_in_mapping(context.file, receiver, code.scope)
    return stored is not None and stored.kind in _COMPLETED
