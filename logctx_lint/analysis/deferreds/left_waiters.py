"""Waiters that are all fired, and stay where they are kept, so that the next time fails.

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
from logctx_lint.analysis.deferreds.completions import completion, is_own, makes, takes_away
from logctx_lint.analysis.deferreds.fired_twice import Methods
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import APPENDERS, FAILERS
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import all_nodes, own_nodes

_ENDS = frozenset({Role.CONNECTION_END, Role.SERVICE_END})
_COPIES = frozenset({"list", "tuple", "set"})
_VIEWS = frozenset({"values", "copy"})
_ASKING = frozenset({"called", "done", "cancelled"})


def fired_again(
    context: TreeContext, methods: Methods, method: FunctionNode
) -> Iterator[tuple[ast.Attribute, str]]:
    """What a loop of a method fires, and where it is kept afterwards."""
    loops = [each for each in own_nodes(method.body) if isinstance(each, ast.For)]
    if not loops or context.file.vocabulary.has_bare_name(method.name.lstrip("_"), _ENDS):
        return
    for loop in loops:
        place = _kept_in(loop.iter)
        firing = _fired(loop)
        if not place or firing is None or _looks(loop):
            continue
        site = Site(method, firing)
        if (
            not any(takes_away(_but_init(each), place) for each in methods.values())
            and _is_filled(context, place)
            and not Guards(methods).bars(site, site)
        ):
            yield firing, place


def _but_init(method: FunctionNode) -> list[ast.AST]:
    return [] if method.name == "__init__" else list(all_nodes(method))


def _kept_in(source: ast.expr) -> str:
    """The attribute that a loop goes over: `self._waiting`, a copy of it, its values."""
    match source:
        case ast.Attribute() if is_own(source):
            return ast.unparse(source)
        case ast.Call(ast.Name(copy), [inner]) if copy in _COPIES:
            return _kept_in(inner)
        case ast.Call(ast.Attribute(inner, view), []) if view in _VIEWS:
            return _kept_in(inner)
    return ""


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
        for each in own_nodes(loop.body)
    )


def _is_filled(context: TreeContext, place: str) -> bool:
    """Whether the class puts something new to be completed into what a place holds."""
    owner = context.unit.scope.owner
    for name in owner.facts.functions if owner else ():
        for function in owner.function(name) if owner else ():
            node = function.tree()
            if node is not None and _fills(context, node, Scope.of_body(function, node), place):
                return True
    return False


def _fills(context: TreeContext, method: FunctionNode, scope: Scope, place: str) -> bool:
    nodes = list(own_nodes(method.body))
    made = {
        target.id
        for node in nodes
        if isinstance(node, ast.Assign) and makes(context, node.value, scope)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in nodes:
        match node:
            case ast.Call(ast.Attribute(kept, adder), [given]) if adder in APPENDERS:
                is_made = isinstance(given, ast.Name) and given.id in made
                if ast.unparse(kept) == place and (is_made or makes(context, given, scope)):
                    return True
            case ast.Assign(targets, value):
                is_made = isinstance(value, ast.Name) and value.id in made
                if any(
                    isinstance(target, ast.Subscript) and ast.unparse(target.value) == place
                    for target in targets
                ) and (is_made or makes(context, value, scope)):
                    return True
    return False
