"""Collections of waiters that are completed but not emptied, so that the next round fails.

def wait(self):                         def notify(self, event):
    d = Deferred()                          for d in self._waiting:
    self._waiting.append(d)                     d.callback(event)  # Again with the next event.
    return d
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from logctx_lint.analysis.context import TreeContext, as_try
from logctx_lint.analysis.deferreds.completion_guards import Guards, Site
from logctx_lint.analysis.deferreds.completions import completion, is_filled, kept_in, takes_away
from logctx_lint.analysis.deferreds.fired_twice import Methods
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import FAILERS
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, body_nodes

_ENDS = frozenset({Role.CONNECTION_END, Role.SERVICE_END})
_ASKING = frozenset({"called", "done", "cancelled"})


def fired_again(
    context: TreeContext, methods: Methods, method: FunctionNode
) -> Iterator[tuple[ast.Attribute, str]]:
    """What a loop of a method fires, and where it is kept afterwards."""
    loops = list(body_nodes(method, ast.For))
    if not loops or context.file.vocabulary.has_bare_name(method.name.lstrip("_"), _ENDS):
        return
    for loop in loops:
        place = kept_in(loop.iter)
        firing = _fired(loop)
        if not place or firing is None or _looks(loop):
            continue
        site = Site(method, firing)
        if (
            not any(takes_away(_but_init(each), place) for each in methods.values())
            and is_filled(context, place)
            and not Guards(methods).bars(site, site)
        ):
            yield firing, place


def _but_init(method: FunctionNode) -> list[ast.AST]:
    return [] if method.name == "__init__" else list(all_nodes(method))


def _fired(loop: ast.For) -> ast.Attribute | None:
    """What fires the variable of a loop, by a statement of its own.

    What fails all of them is most often the end of everything, which comes once.
    """
    for func in filter(None, map(completion, loop.body)):
        is_target = getattr(func.value, "id", "") == getattr(loop.target, "id", None)
        if is_target and func.attr not in FAILERS:
            return func
    return None


def _looks(loop: ast.For) -> bool:
    return any(
        as_try(each) is not None or (isinstance(each, ast.Attribute) and each.attr in _ASKING)
        for each in body_nodes(loop)
    )
