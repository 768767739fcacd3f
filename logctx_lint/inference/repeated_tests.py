"""Names that hold one of two values, where the test that chose between them is made again.

method = wrapper.run_async if wrapper.is_async else wrapper.run
if wrapper.is_async:
    return await method()            # `run_async`
return await in_thread(method)       # `run`
"""

from __future__ import annotations

import ast

from logctx_lint.inference.narrowing import LEAVING, Position, dotted
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import child_blocks, end_of, own_nodes, start_of


def chosen(node: ast.Name, scope: Scope) -> ast.expr | None:
    """The arm of the conditional expression that a name was bound to, where that is known."""
    bindings = scope.bindings.get(node.id, ())
    if len(bindings) != 1 or not isinstance(choice := bindings[0].value, ast.IfExp):
        return None
    path, is_plain = _asked(choice.test)
    if not path or not scope.is_positioned or not isinstance(scope.node, FunctionNode):
        return None
    body = scope.node.body
    if bindings[0].kind != "value" or bindings[0].path or _is_set(body, path):
        return None
    outcome = _outcome(body, path, (node.lineno, node.col_offset))
    if outcome is None:
        return None
    return choice.body if outcome is is_plain else choice.orelse


def _asked(test: ast.expr) -> tuple[str, bool]:
    """The dotted name that a test asks for, and whether it asks plainly or by `not`."""
    match test:
        case ast.UnaryOp(ast.Not(), operand):
            return dotted(operand), False
    return dotted(test), True


def _is_set(body: list[ast.stmt], path: str) -> bool:
    return any(
        isinstance(each, ast.Name | ast.Attribute)
        and not isinstance(each.ctx, ast.Load)
        and dotted(each) == path
        for each in own_nodes(body)
    )


def _outcome(body: list[ast.stmt], path: str, place: Position) -> bool | None:
    """What a name is at some place, as tests around it and before it say; None if they do not."""
    found: bool | None = None
    for statement in body:
        if start_of(statement) > place:
            break
        is_behind = end_of(statement) <= place
        if isinstance(statement, ast.If) and _asked(statement.test)[0] == path:
            is_plain = _asked(statement.test)[1]
            if _holds(statement.body, place):
                return is_plain
            if _holds(statement.orelse, place):
                return not is_plain
            if is_behind and not statement.orelse and isinstance(statement.body[-1], LEAVING):
                found = not is_plain
        elif not is_behind and not isinstance(statement, FunctionNode | ast.ClassDef):
            for block in child_blocks(statement):
                inner = _outcome(block, path, place) if _holds(block, place) else None
                found = found if inner is None else inner
    return found


def _holds(block: list[ast.stmt], place: Position) -> bool:
    """Whether a place is in one of some statements."""
    return bool(block) and start_of(block[0]) <= place < end_of(block[-1])
