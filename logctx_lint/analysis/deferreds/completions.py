"""Where code completes a Deferred or a Future, and whether it surely is one.

d.callback(value)                   # A second call fails, as it does not for `listener.callback`.
self.waiting[key].set_result(value)
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping

from logctx_lint.analysis.context import TreeContext, arguments, as_try
from logctx_lint.analysis.deferreds.stored_elements import stored_in_mapping
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import (
    APPENDERS,
    COMPLETED_ONCE,
    COMPLETERS,
    FAILERS,
    REMOVERS,
)
from logctx_lint.inference.types import (
    External,
    ExternalInstance,
    Instance,
    Kind,
    NoneType,
    Presumed,
    TypeVariable,
    Unknown,
    members_of,
)
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    assigned,
    assigned_to,
    body_nodes,
    holding,
    is_name,
    last_name,
    start_of,
)

_LOOPS = frozenset({Role.EVENT_LOOP})
_NOT_KNOWN = (NoneType, Unknown, External, ExternalInstance, TypeVariable, Presumed)
_ONCE = frozenset({Kind.DEFERRED, Kind.FUTURE})
_ASKING = frozenset({"called", "done", "cancelled", "cancel", "active", "addTimeout"})
"""What asks a Deferred, a Future or a timer how it stands, or ends the timer."""
_TAKERS = frozenset({"pop", "popleft"})
_COPIES = frozenset({"list", "tuple", "set"})
_VIEWS = frozenset({"values", "copy"})


def completed(node: ast.AST) -> str:
    """The text of what an expression completes, or is the completing of: `d` of `d.callback`."""
    match node:
        case ast.Attribute(receiver, name) if name in COMPLETERS:
            return ast.unparse(receiver)
    return ""


def completion(statement: ast.stmt) -> ast.Attribute | None:
    """What a statement completes something by: `d.callback` of `d.callback(x)`."""
    match statement:
        case ast.Expr(ast.Call(ast.Attribute() as func)) if completed(func):
            return func
    return None


def holder(node: ast.AST) -> str:
    """The attribute of the object that holds, or is, what an expression completes."""
    match node:
        case ast.Attribute(
            ast.Subscript(ast.Attribute(ast.Name("self")) as held)
            | (ast.Attribute(ast.Name("self")) as held),
            name,
        ) if name in COMPLETERS:
            return ast.unparse(held)
    return ""


def held_in(method: FunctionNode, node: ast.AST) -> str:
    """As `holder`, also where a local name stands for it: `d = self.waiting[key]`."""
    match node:
        case ast.Attribute(ast.Name(name), completer) if completer in COMPLETERS:
            values = list(assigned_to(name, all_nodes(method)))
            match values:
                case [
                    ast.Subscript(place)
                    | ast.Call(ast.Attribute(place, "get"), [_, *_])
                    | (ast.Attribute() as place)
                ] if isinstance(place, ast.Attribute) and is_own(place):
                    return ast.unparse(place)
    return holder(node)


def popped_from(method: FunctionNode, node: ast.Attribute) -> str:
    """Where something is taken out of to be completed: `self.waiting.pop(number).set_result`."""
    taken = node.value
    if isinstance(taken, ast.Name):
        values = list(assigned_to(taken.id, all_nodes(method)))
        taken = values[0] if len(values) == 1 else taken
    match taken:
        case ast.Call(ast.Attribute(kept, taker)) if taker in _TAKERS and node.attr in COMPLETERS:
            return ast.unparse(kept)
    return ""


def is_own(node: ast.expr) -> bool:
    """`self`, `self.transport`, `self.client.writer`."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return is_name(node, "self")


def are_sure(first: ast.Attribute, second: ast.Attribute) -> bool:
    """Whether hardly anything but a Deferred, or a Future, has both of these methods."""
    both = {first.attr, second.attr}
    return bool(both & FAILERS) or both == {"set_result"}


def is_careful(nodes: Iterable[ast.AST], place: str) -> bool:
    """Whether code asks whether something was completed, takes it away or stops a timer."""
    for node in nodes:
        match node:
            case ast.Attribute(_, name) if name in _ASKING and ast.unparse(node) != place:
                return True
            case ast.Call(ast.Attribute(holds, name)) if name in REMOVERS:
                # What was found under a key is not found there by anybody else.
                about = (holds, *arguments(node))
                if name == "pop" or any(ast.unparse(each) == place for each in about):
                    return True
    return False


def takes_away(nodes: Iterable[ast.AST], place: str) -> bool:
    """Whether code takes something out of the place that holds it, or puts something else there."""
    for node in nodes:
        match node:
            case ast.Call(ast.Attribute(holds, name)) if name in REMOVERS:
                if ast.unparse(holds) == place:
                    return True
            case ast.Subscript(holds, ctx=ast.Del()) if ast.unparse(holds) == place:
                return True
            case ast.Attribute(ctx=ast.Store() | ast.Del()) if ast.unparse(node) == place:
                return True
    return False


def is_once(context: TreeContext, node: ast.expr) -> bool | None:
    """Whether a value is a Deferred or a Future, which is completed once; None if not known.

    Where the type does not say it, what is put there may: into a mapping, by a method of the class.
    """
    known = [
        isinstance(each, Instance)
        and not COMPLETED_ONCE.isdisjoint(context.resolver.classes.names(each.cls))
        for each in members_of(context.type_of(node))
        if not isinstance(each, _NOT_KNOWN)
    ]
    if known:
        return all(known)
    scope = context.scopes[node]
    stored = stored_in_mapping(context.file, node, scope)
    is_made = (
        (stored is not None and stored.kind in _ONCE)
        or makes(context, node, scope)
        or (is_own(holding(node)) and is_filled(context, ast.unparse(holding(node))))
    )
    return is_made or None


def makes(context: TreeContext, value: ast.expr | None, scope: Scope) -> bool:
    """`Deferred()`, `loop.create_future()`, whatever the loop is; a local name for such a value."""
    if isinstance(value, ast.Name):
        bindings = scope.reaching_name(value)
        calls = [each.value for each in bindings if isinstance(each.value, ast.Call)]
        return 0 < len(bindings) == len(calls) and all(makes(context, e, scope) for e in calls)
    if not isinstance(value, ast.Call):
        return False
    if context.file.summaries.is_new_future(value, scope):
        return True
    match value.func:
        case ast.Attribute(loop, "create_future"):
            return context.file.vocabulary.has_bare_name(last_name(loop), _LOOPS)
    return False


def new_in(
    context: TreeContext,
    function: FunctionNode,
    scope: Scope,
    maker: Callable[[TreeContext, ast.expr, Scope], bool],
) -> list[tuple[ast.expr, ast.stmt]]:
    """What a function puts something new into that is to be completed, and where, in source order.

    `maker`: `makes`, or `makes_future`.
    """
    found = [
        (target, node)
        for node in body_nodes(function)
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target, value in assigned(node)
        if maker(context, value, scope)
    ]
    return sorted(found, key=lambda each: start_of(each[1]))


def makes_future(context: TreeContext, value: ast.expr, scope: Scope) -> bool:
    """The same of what fails when it is set after it was cancelled, as a Deferred does not."""
    answer = context.resolver.awaitability(context.resolver.type_of(value, scope))
    return answer.kind is not Kind.DEFERRED and makes(context, value, scope)


def methods_of_class(context: TreeContext) -> Iterator[tuple[FunctionNode, Scope]]:
    """The methods of the class that the unit is in, each with the scope of its body."""
    owner = context.unit.scope.owner
    for function, node in owner.method_trees() if owner else ():
        yield node, Scope.of_body(function, node)


def is_filled(context: TreeContext, place: str) -> bool:
    """Whether the class that the unit is in puts something new to be completed into a place."""
    return any(_fills(context, node, scope, place) for node, scope in methods_of_class(context))


def _fills(context: TreeContext, method: FunctionNode, scope: Scope, place: str) -> bool:
    for node in body_nodes(method):
        match node:
            case ast.Assign(targets, value):
                is_there = any(ast.unparse(holding(target)) == place for target in targets)
            case ast.Call(ast.Attribute(kept, adder), [value]) if adder in APPENDERS:
                is_there = ast.unparse(kept) == place
            case _:
                continue
        if is_there and makes(context, value, scope):
            return True
    return False


def kept_in(source: ast.expr, function: FunctionNode | None = None) -> str:
    """The attribute that a loop goes over: `self._waiting`, a copy of it, its values.

    With `function`, also what a local name of it was taken from.
    """
    match source:
        case ast.Attribute() if is_own(source):
            return ast.unparse(source)
        case ast.Call(ast.Name(copy), [inner]) if copy in _COPIES:
            return kept_in(inner, function)
        case ast.Call(ast.Attribute(inner, view), []) if view in _VIEWS:
            return kept_in(inner, function)
        case ast.Name(name) if function is not None:
            for value in assigned_to(name, body_nodes(function)):
                return "" if isinstance(value, ast.Name) else kept_in(value, function)
    return ""


def is_careless(methods: Mapping[str, FunctionNode], method: FunctionNode, place: str) -> bool:
    """Whether a method neither takes away what it completes, nor asks about it.

    `methods`: those of the class. What they do about this place counts where they are called.
    """
    nodes = list(all_nodes(method))
    return not (
        is_careful(nodes, place)
        or takes_away(nodes, place)
        or any(
            as_try(each) is not None
            or isinstance(each, ast.Delete)
            or (isinstance(each, ast.Compare) and isinstance(each.ops[0], ast.In | ast.NotIn))
            for each in nodes
        )
        or any(
            takes_away(inner, place) or _asks_about(inner, place)
            for inner in map(list, map(all_nodes, called_methods(methods, nodes)))
        )
    )


def _asks_about(nodes: Iterable[ast.AST], place: str) -> bool:
    return any(
        isinstance(each, ast.Attribute)
        and each.attr in _ASKING
        and ast.unparse(holding(each.value)) == place
        for each in nodes
    )


def called_methods(
    methods: Mapping[str, FunctionNode], nodes: Iterable[ast.AST]
) -> Iterator[FunctionNode]:
    """The methods of the class that some code of another one calls: `self._forget(key)`."""
    for node in nodes:
        match node:
            case ast.Call(ast.Attribute(ast.Name("self"), name)) if name in methods:
                yield methods[name]
