"""Walks over `ast` trees: what is inside a node, a function or a block.

Names' contexts and operators are no nodes here. A table of the fields that hold nodes makes this
several times as fast as the walks in `ast`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, TypeGuard, TypeVar, overload
from weakref import WeakKeyDictionary

_PLAIN_FIELDS = frozenset(
    {
        "arg", "asname", "attr", "conversion", "ctx", "id", "is_async", "kind", "kwd_attrs",
        "level", "module", "name", "op", "ops", "rest", "simple", "tag", "type_comment",
    }
)  # fmt: skip
"""Fields that hold text, numbers, operators and the like, whichever node has them."""
_PLAIN_NODES = (ast.Constant, ast.Global, ast.MatchSingleton, ast.Nonlocal)
_TRY = ("body", "handlers", "orelse", "finalbody")
_BLOCKS: dict[type[ast.AST], tuple[str, ...]] = {
    **dict.fromkeys((ast.If, ast.For, ast.AsyncFor, ast.While), ("body", "orelse")),
    **dict.fromkeys((ast.With, ast.AsyncWith), ("body",)),
    **dict.fromkeys((ast.Try, getattr(ast, "TryStar", ast.Try)), _TRY),
    ast.Match: ("cases",),
}
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_SCOPES = (*_DEFINITIONS, ast.Lambda)
_Node = TypeVar("_Node", bound=ast.AST)
Position = tuple[int, int]
"""A line, from 1, and a column, from 0 and in bytes, as `ast` counts them."""
_ASSIGNING = (ast.Assign, ast.AnnAssign, ast.NamedExpr)
Suspension = ast.Await | ast.AsyncFor | ast.AsyncWith
"""Where an `async def` may be suspended, and so be cancelled."""
SuspensionOrYield = Suspension | ast.Yield
"""The same where a `yield` awaits, or gives control to the block of a `with`."""


class _Fields(dict[type[ast.AST], tuple[str, ...]]):
    """The fields of each type of node that hold nodes or lists of them."""

    def __missing__(self, kind: type[ast.AST]) -> tuple[str, ...]:
        named = {"name"} if kind.__name__ == "TypeAlias" else set()
        fields = () if kind in _PLAIN_NODES else kind._fields
        self[kind] = tuple(name for name in fields if name in named or name not in _PLAIN_FIELDS)
        return self[kind]


FIELDS = _Fields()
_OWN_FIELDS = _Fields(dict.fromkeys(_SCOPES, ()))


def child_nodes(node: ast.AST) -> list[ast.AST]:
    """The nodes directly inside a node, in the order of its fields."""
    found: list[ast.AST] = []
    for name in FIELDS[type(node)]:
        value = getattr(node, name, None)
        if type(value) is list:
            found += filter(None, value)
        elif value is not None:
            found.append(value)
    return found


@overload
def all_nodes(node: ast.AST) -> Iterator[ast.AST]: ...
@overload
def all_nodes(node: ast.AST, kind: type[_Node]) -> Iterator[_Node]: ...
def all_nodes(node: ast.AST, kind: type[ast.AST] | None = None) -> Iterator[ast.AST]:
    """A node and all those below it, or those of one type, in no particular order."""
    nodes = _walk([node], FIELDS)
    return nodes if kind is None else (each for each in nodes if isinstance(each, kind))


@overload
def own_nodes(body: Iterable[ast.AST]) -> Iterator[ast.AST]: ...
@overload
def own_nodes(body: Iterable[ast.AST], kind: type[_Node]) -> Iterator[_Node]: ...
def own_nodes(body: Iterable[ast.AST], kind: type[ast.AST] | None = None) -> Iterator[ast.AST]:
    """All nodes below `body`, or those of one type, not those inside nested functions, lambdas
    and classes."""
    nodes = _walk(list(body), _OWN_FIELDS)
    return nodes if kind is None else (each for each in nodes if isinstance(each, kind))


class _WithBody(Protocol):
    body: list[ast.stmt]


_BODIES: WeakKeyDictionary[_WithBody, list[ast.AST]] = WeakKeyDictionary()


@overload
def body_nodes(node: _WithBody) -> Sequence[ast.AST]: ...
@overload
def body_nodes(node: _WithBody, kind: type[_Node]) -> Sequence[_Node]: ...
def body_nodes(node: _WithBody, kind: type[ast.AST] | None = None) -> Sequence[ast.AST]:
    """What `own_nodes` finds in the body of a function, loop or handler, kept as long as that.

    Beside the tree, not in it: flake8 gives the same tree to other plugins.
    """
    kept = _BODIES.get(node)
    if kept is None:
        kept = _BODIES[node] = list(own_nodes(node.body))
    return kept if kind is None else [each for each in kept if isinstance(each, kind)]


def parents_of(node: ast.AST) -> dict[ast.AST, ast.AST]:
    """What each node below a node is directly inside of."""
    return {child: outer for outer in all_nodes(node) for child in child_nodes(outer)}


def suspends(body: Iterable[ast.AST]) -> bool:
    """Whether something in a block may suspend the `async def` that it is in."""
    return any(isinstance(node, Suspension) for node in own_nodes(body))


def all_statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements in a block and in all blocks, functions and classes inside it."""
    waiting = list(body)
    for statement in waiting:
        yield statement
        if isinstance(statement, _DEFINITIONS):
            waiting += statement.body
        else:
            for block in child_blocks(statement):
                waiting += block


def stored_names(nodes: Iterable[ast.AST]) -> set[str]:
    """The names that some nodes bind: `x = f()`, `for x in xs`, `with f() as x`."""
    return {
        node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def declared_outer(nodes: Iterable[ast.AST]) -> set[str]:
    """The names that some nodes declare to be bound further out: `global x`, `nonlocal x`."""
    return {
        name for node in nodes if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names
    }


def start_of(node: ast.AST) -> Position:
    """Where a statement or an expression starts; other nodes stand nowhere."""
    try:
        return node.lineno, node.col_offset  # type: ignore[attr-defined]
    except AttributeError:
        return 0, 0


def end_of(node: ast.AST) -> Position:
    """Where a statement or an expression ends."""
    return node.end_lineno, node.end_col_offset  # type: ignore[attr-defined]


def is_inside(node: ast.AST, outer: Iterable[ast.AST]) -> bool:
    """Whether a node is one of some others, or stands below one."""
    return any(each is node for other in outer for each in all_nodes(other))


def is_name(node: ast.AST | None, name: str) -> TypeGuard[ast.Name]:
    """Whether a node is the use of some name."""
    return isinstance(node, ast.Name) and node.id == name


def is_none(node: ast.AST | None) -> TypeGuard[ast.Constant]:
    """Whether a node is `None`."""
    return isinstance(node, ast.Constant) and node.value is None


def mentions_name(node: ast.AST, name: str) -> bool:
    """Whether a name is used anywhere in some code."""
    return any(isinstance(each, ast.Name) and each.id == name for each in all_nodes(node))


def mentions_attribute(node: ast.AST, name: str) -> bool:
    """Whether an attribute of this name is used anywhere in some code, whosoever it is."""
    return any(isinstance(each, ast.Attribute) and each.attr == name for each in all_nodes(node))


def own_attribute(node: ast.AST) -> str:
    """`a` of `self.a`; empty for all else."""
    match node:
        case ast.Attribute(ast.Name("self"), name):
            return name
    return ""


def own_place(node: ast.AST) -> str:
    """The same of a place: an element, `self.a[key]`, is in the attribute that holds it."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return own_attribute(node)


def last_name(node: ast.AST) -> str:
    """`c` of `a.b.c`; empty where it is no name."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def holding(node: ast.expr) -> ast.expr:
    """What holds an element: `a.b` of `a.b[key]`, and of `a.b` itself."""
    return node.value if isinstance(node, ast.Subscript) else node


def place_name(node: ast.AST) -> str:
    """The same of a place: an element, `a.b[key]`, is in the place that holds it."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return last_name(node)


def call_arguments(call: ast.Call) -> list[ast.expr]:
    """The arguments of a call, those with keywords included; `*rest` is a `Starred`."""
    return [*call.args, *[keyword.value for keyword in call.keywords]]


def awaited_methods(tree: ast.AST) -> frozenset[str]:
    """The names of the methods that are called inside an `await`, but for `super().method()`."""
    return frozenset(
        node.func.attr
        for awaited in all_nodes(tree)
        if isinstance(awaited, ast.Await)
        for node in all_nodes(awaited.value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if not is_super(node.func.value)
    )


def is_super(node: ast.AST) -> bool:
    """`super()`."""
    match node:
        case ast.Call(ast.Name("super")):
            return True
    return False


def assigned(node: ast.AST) -> list[tuple[ast.expr, ast.expr]]:
    """What a statement or a `:=` binds, each target with its value: `a, b = c, d` binds two."""
    match node:
        case ast.Assign([ast.Tuple(targets)], ast.Tuple(values)):
            return list(zip(targets, values, strict=False))
        case ast.Assign(targets, value):
            return [(each, value) for each in targets]
        case ast.AnnAssign(target, _, ast.expr() as value) | ast.NamedExpr(target, value):
            return [(target, value)]
    return []


def assignments(nodes: Iterable[ast.AST]) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The same of all of some nodes."""
    for node in nodes:
        if isinstance(node, _ASSIGNING):
            yield from assigned(node)


def assigned_to(name: str, nodes: Iterable[ast.AST]) -> Iterator[ast.expr]:
    """What some code binds a name to."""
    return (value for target, value in assignments(nodes) if is_name(target, name))


def returned_values(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    """What the `return` statements of a function give, where they give something."""
    for node in body_nodes(function):
        if isinstance(node, ast.Return) and node.value:
            yield node.value


def _walk(stack: list[ast.AST | None], fields: _Fields) -> Iterator[ast.AST]:
    while stack:
        node = stack.pop()
        # A dict display has None for the key of `**x`, and so on.
        if node is None:
            continue
        yield node
        for name in fields[type(node)]:
            value = getattr(node, name, None)
            if type(value) is list:
                stack += value
            elif value is not None:
                stack.append(value)


def blocks_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[list[ast.stmt]]:
    """All lists of statements of a function that run one after the other."""
    waiting = [function.body]
    for block in waiting:
        yield block
        for statement in block:
            waiting += [each for each in child_blocks(statement) if each]


def with_following(
    function: ast.FunctionDef | ast.AsyncFunctionDef,
) -> Iterator[tuple[ast.stmt, list[ast.stmt]]]:
    """The statements of a function, each with those that follow it in the same block."""
    for block in blocks_of(function):
        for position, statement in enumerate(block):
            yield statement, block[position + 1 :]


def takes_the_rest(case: ast.match_case) -> bool:
    """Whether a case of a `match` takes whatever comes to it: `case _:`."""
    return (
        case.guard is None
        and isinstance(case.pattern, ast.MatchAs)
        and case.pattern.pattern is None
    )


def child_blocks(statement: ast.stmt) -> list[list[ast.stmt]]:
    """The statement lists directly inside a compound statement that is no def or class."""
    names = _BLOCKS.get(type(statement))
    if names is None:
        return []
    blocks: list[list[ast.stmt]] = []
    for name in names:
        inner = getattr(statement, name)
        blocks += [each.body for each in inner] if name in ("handlers", "cases") else [inner]
    return blocks
