"""Callbacks of tasks that ask for the exception of one that may have been cancelled.

def finished(task):
    if task.exception():        # Raises CancelledError, and what follows is not reached.
        log.error("failed")
    self.running.discard(task)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from logctx_lint.analysis.callback_arguments import taken
from logctx_lint.analysis.called_code import Code, entered
from logctx_lint.analysis.context import TreeContext, in_source_order
from logctx_lint.analysis.exception_handlers import catches_asyncio
from logctx_lint.analysis.kept_places import cancelled_in, places
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, end_of, is_name, last_name, own_nodes, start_of

ADDER = "add_done_callback"
_ADDERS = frozenset(f"asyncio.{home}.{ADDER}" for home in ("futures.Future", "tasks.Task"))
_ASKING = frozenset({"cancelled", "CancelledError"})


@dataclass(frozen=True, slots=True)
class UnaskedOutcome:
    """Where a callback asks for the exception, and whether anybody is seen to cancel the task."""

    asked: ast.Call
    code: Code
    is_cancelled: bool
    loses_work: bool
    """The callback does something for a task that has not failed, which is then not done."""


def unasked_outcomes(context: TreeContext) -> Iterator[tuple[ast.expr, UnaskedOutcome]]:
    """The callbacks that the unit adds to tasks, and where they ask."""
    for call, scope in context.unit.nodes(ast.Call):
        if not isinstance(call.func, ast.Attribute) or call.func.attr != ADDER:
            continue
        if not context.is_placed(call) or not _ADDERS & set(context.names(call)):
            continue
        for each in taken(context.file, call, scope):
            for code in entered(context.file, each.node, scope):
                asked = _asked(context, each.node, code)
                if asked is not None:
                    is_cancelled = _is_cancelled(context, call, call.func.value)
                    loses = _loses_work(code, asked)
                    # What only logs a failure leaves a traceback for each task cancelled.
                    if loses or (is_cancelled and not _only_raises(code)):
                        yield each.node, UnaskedOutcome(asked, code, is_cancelled, loses)


def _asked(context: TreeContext, node: ast.expr, code: Code) -> ast.Call | None:
    """Where the code of a callback asks its task for an exception, and looks at nothing before.

    What does nothing with it only keeps it from being logged: `lambda done: done.exception()`.
    """
    name = _parameter(node, code)
    if not name or any(last_name(each) in _ASKING for each in code.nodes):
        return None
    statements = {each.value for each in code.nodes if isinstance(each, ast.Expr)}
    unused = {*statements, node.body} if isinstance(node, ast.Lambda) else statements
    for each in in_source_order(n for n in code.nodes if isinstance(n, ast.Call)):
        match each.func:
            case ast.Attribute(ast.Name(asked), "exception") if (
                asked == name and each not in unused
            ):
                return None if _is_caught(context, each, code) else each
    return None


def _loses_work(code: Code, asked: ast.Call) -> bool:
    """Whether anything runs behind the question where the answer is that nothing has failed."""
    conditions = [each for each in code.nodes if isinstance(each, ast.If)]
    asking = [each for each in conditions if asked in own_nodes([each.test])]
    tests = asking[:1] or [each for each in conditions if start_of(each) > end_of(asked)]
    if len(tests) != 1:
        return _runs_more(code, asked)
    return bool(tests[0].orelse) or _runs_more(code, tests[0])


def _runs_more(code: Code, node: ast.AST) -> bool:
    """Whether any statement follows a node."""
    return any(isinstance(each, ast.stmt) and start_of(each) > end_of(node) for each in code.nodes)


def _only_raises(code: Code) -> bool:
    return any(isinstance(each, ast.Raise) for each in code.nodes) and not any(
        isinstance(each, ast.Expr) and isinstance(each.value, ast.Call) for each in code.nodes
    )


def _parameter(node: ast.expr, code: Code) -> str:
    """The name of what a callback is called with; of a `partial`, which is another one, none."""
    if isinstance(node, ast.Lambda):
        names = [each.arg for each in node.args.args]
    elif code.function is not None and isinstance(node, ast.Name | ast.Attribute):
        names = [each.name for each in code.function.facts.parameters]
        if code.function.owner is not None and names[:1] == ["self"]:
            names = names[1:]
    else:
        names = []
    return names[0] if names else ""


def _is_caught(context: TreeContext, call: ast.Call, code: Code) -> bool:
    """Whether a handler in the callback takes the cancellation."""
    return any(
        call in own_nodes(each.body)
        and any(catches_asyncio(context.file, handler, code.scope) for handler in each.handlers)
        for each in code.nodes
        if isinstance(each, ast.Try)
    )


def _is_cancelled(context: TreeContext, call: ast.Call, task: ast.expr) -> bool:
    """Whether code of the file cancels what stands where the task is kept."""
    function = context.function_of(call)
    kept = [*places(task, function), task] if isinstance(function, FunctionNode) else [task]
    attributes = {each.attr for each in kept if isinstance(each, ast.Attribute)}
    if any(last_name(each) in attributes for each in cancelled_in(all_nodes(context.file.tree))):
        return True
    inside = all_nodes(function) if function is not None else ()
    return isinstance(task, ast.Name) and any(is_name(e, task.id) for e in cancelled_in(inside))
