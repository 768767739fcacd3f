"""The handlers, `with` and `finally` blocks that swallow a cancellation in a function."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from logctx_lint.analysis.cancellation.cancellation_flow import CancellationFlow
from logctx_lint.analysis.cancellation.cancellation_state import Code, Paths, Stop, frameworks
from logctx_lint.analysis.cancellation.cancelled_tasks import Cancels
from logctx_lint.analysis.cancellation.completed_awaitables import DoneAwaitables
from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.exception_handlers import Cancellation
from logctx_lint.analysis.function_framework import live_cancellation
from logctx_lint.analysis.shields import is_in_shield
from logctx_lint.config.vocabulary import Role
from logctx_lint.syntax.ast_walk import body_nodes


@dataclass(slots=True)
class Swallowing:
    """What takes a cancellation, for all the frameworks that it may come from."""

    stop: Stop
    live: Cancellation = Cancellation.NONE
    awaits: list[ast.AST] = field(default_factory=list)
    paths: Paths = field(default_factory=Paths)

    def add(self, stop: Stop, live: Cancellation, paths: Paths) -> None:
        self.live |= live
        self.awaits += [each for each in stop.awaits if each not in self.awaits]
        self.paths.ways.update(paths.ways)
        self.paths.left_by.update(paths.left_by)
        self.paths.is_known = self.paths.is_known and paths.is_known


def swallowings(code: Code) -> Iterator[Swallowing]:
    """What takes a cancellation in a function, if it is known how every path goes on from there."""
    found: dict[ast.AST, Swallowing] = {}
    usual = live_cancellation(code)
    for live in frameworks(usual | _named(code)):
        flow = CancellationFlow(code, live)
        for stop in (*flow.stops, *flow.body_stops):
            # A framework that the code is not known to run on counts where a clause names it.
            if live & usual or (
                isinstance(stop.code, ast.ExceptHandler)
                and live & code.caught(stop.code.type).named
            ):
                entry = found.setdefault(stop.code, Swallowing(stop))
                entry.add(stop, live, flow.ways(stop))
    return (each for each in found.values() if each.paths.is_known)


def _named(code: Code) -> Cancellation:
    """The frameworks whose cancelled error a handler of the function names."""
    found = Cancellation.NONE
    for node in body_nodes(code.node):
        if isinstance(node, ast.ExceptHandler):
            found |= code.caught(node.type).named
    return found


def is_harmless(context: TreeContext, found: Swallowing, cancels: Cancels) -> bool:
    """Whether no cancellation from outside can come out of what the handler is around."""
    return _are_time_outs(context, found) or is_end_of_cancelled(context, found, cancels)


def is_end_of_cancelled(context: TreeContext, found: Swallowing, cancels: Cancels) -> bool:
    """Whether only what has been cancelled or is done, or is shielded, is waited for."""
    return (
        cancels.are_waited_for(found.awaits)
        or DoneAwaitables(context).are_awaited(found.awaits)
        or all(is_in_shield(context, each) for each in found.awaits)
    )


def _are_time_outs(context: TreeContext, found: Swallowing) -> bool:
    """Whether an awaited request has a time-out of its own that *is* a cancelled error."""
    return any(
        isinstance(each, ast.Await | ast.Yield)
        and isinstance(each.value, ast.Call)
        and any(keyword.arg == "timeout" for keyword in each.value.keywords)
        and Role.TIMED_REQUEST in context.roles(each.value)
        for each in found.awaits
    )
