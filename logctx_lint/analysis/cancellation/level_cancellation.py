"""Trio's level-triggered cancellation: raised again at every checkpoint until the scope is left.

    except trio.Cancelled:
        await trio.aclose_forcefully(stream)    # Raises Cancelled once more,
        raise AssertionError                    # so that this is not reached.

Not in a scope that is shielded. A coroutine function of the project is such a checkpoint where it
surely has one; whether a handler in there swallows the error is said there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from logctx_lint.analysis.cancellation.call_summaries import first_party
from logctx_lint.analysis.cancellation.cancellation_state import Code, of_function
from logctx_lint.analysis.control_flow_graph import FlowNode, NodeKind, expressions
from logctx_lint.syntax.ast_walk import body_nodes, own_nodes

_LEVEL = frozenset({"trio", "anyio"})
_LONGEST_WAY = 2
"""How many calls deep a checkpoint is looked for."""


def comes_again(code: Code, node: FlowNode) -> bool:
    """Whether a cancellation of trio that has been caught is raised once more at a node."""
    if node.kind is not NodeKind.RUN or node.code is None:
        return False
    return any(
        _is_checkpoint(code, each, _LONGEST_WAY) for each in expressions(node)
    ) and not _is_shielded(code, node.code)


def _is_checkpoint(code: Code, node: ast.AST, depth: int) -> bool:
    match node:
        case ast.Await(ast.Call(ast.Attribute(attr="__aexit__"))):
            return True
        case ast.Await(ast.Call() as call):
            if any(name.partition(".")[0] in _LEVEL for name in code.names(call)):
                return True
            functions = first_party(code, call) if depth else []
            found = [of_function(code.file, each) for each in functions if each.facts.is_async]
            return (
                bool(found)
                and len(found) == len(functions)
                and all(each is not None and _has_checkpoint(each, depth - 1) for each in found)
            )
    return False


def _has_checkpoint(code: Code, depth: int) -> bool:
    return any(
        _is_checkpoint(code, each, depth)
        for statement in _sure(code.node.body)
        for each in own_nodes([statement])
        if not _is_shielded(code, each)
    )


def _sure(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The simple statements of a block that run in any case, up to one that leaves it.

    A guard at the beginning of a function, `if self._closed: return`, is taken not to hold.
    """
    for statement in body:
        match statement:
            case ast.Try(inner) | ast.With(body=inner) | ast.AsyncWith(body=inner):
                yield from _sure(inner)
            case ast.Return() | ast.Raise() | ast.Break() | ast.Continue():
                yield statement
                return
            case ast.If(_, [ast.Return()] | [*_, ast.Raise()], []):
                pass
            case ast.If() | ast.Match() | ast.For() | ast.AsyncFor() | ast.While():
                if any(isinstance(each, ast.Return | ast.Raise) for each in own_nodes([statement])):
                    return
            case _:
                yield statement


def _is_shielded(code: Code, node: ast.AST) -> bool:
    """Whether code stands in a `with CancelScope(shield=True)`, or one that is shielded so."""
    return any(
        isinstance(outer, ast.With)
        and any(map(_shields, outer.items))
        and any(each is node for each in body_nodes(outer))
        for outer in body_nodes(code.node)
    )


def _shields(item: ast.withitem) -> bool:
    return isinstance(item.context_expr, ast.Call) and any(
        each.arg == "shield" and not (isinstance(each.value, ast.Constant) and not each.value.value)
        for each in item.context_expr.keywords
    )
