"""From which expressions a value may come, and the elements of one.

`a or f()`, `f() if c else None`, `(x := f())` and `cast(T, f())` may all give what `f()` gives; the
elements of `[f()] + others`, `[f(x) for x in xs]` and `list(map(f, xs))` are seen likewise. This is
syntax alone; names are followed by whoever knows the scope.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from logctx_lint.inference.known_names import APPENDERS
from logctx_lint.project.facts import FunctionNode
from logctx_lint.syntax.ast_walk import body_nodes, is_name, last_name

_GIVE_SECOND = frozenset({"cast"})
_GIVE_FIRST = frozenset({"assert_type"})
_GIVE_ARGUMENT = _GIVE_SECOND | _GIVE_FIRST
_COMPOSED = frozenset({ast.NamedExpr, ast.IfExp, ast.BoolOp})
_COPIES = frozenset({"list", "tuple", "set", "frozenset", "sorted", "reversed", "iter"})


def possible_values(node: ast.expr) -> Iterable[ast.expr]:
    """The expressions of which one gives the value of `node`."""
    kind = type(node)
    if kind is ast.Call:
        is_plain = last_name(node.func) not in _GIVE_ARGUMENT  # type: ignore[attr-defined]
    else:
        is_plain = kind not in _COMPOSED
    return (node,) if is_plain else _possible_values(node)


def _possible_values(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.NamedExpr(_, value):
            yield from possible_values(value)
        case ast.IfExp(_, body, orelse):
            yield from possible_values(body)
            yield from possible_values(orelse)
        case ast.BoolOp(ast.And(), values):
            # What comes before the last is only given where it is false, which no awaitable is.
            yield from possible_values(values[-1])
        case ast.BoolOp(_, values):
            for value in values:
                yield from possible_values(value)
        case ast.Call(ast.Name(name) | ast.Attribute(_, name), [_, value], []) if (
            name in _GIVE_SECOND
        ):
            yield from possible_values(value)
        case ast.Call(ast.Name(name) | ast.Attribute(_, name), [value, _], []) if (
            name in _GIVE_FIRST
        ):
            yield from possible_values(value)
        case _:
            yield node


def possible_elements(node: ast.expr) -> Iterator[ast.expr]:
    """The expressions of which one gives each element of the collection that `node` is.

    What is no display, comprehension or copy is yielded as `Starred`: all elements of that.
    """
    for value in possible_values(node):
        match value:
            case ast.List(elements) | ast.Tuple(elements) | ast.Set(elements):
                for element in elements:
                    if isinstance(element, ast.Starred):
                        yield from possible_elements(element.value)
                    else:
                        yield from possible_values(element)
            case ast.BinOp(left, ast.Add() | ast.BitOr(), right):
                yield from possible_elements(left)
                yield from possible_elements(right)
            case ast.ListComp(element) | ast.SetComp(element) | ast.GeneratorExp(element):
                yield from possible_values(element)
            case ast.Dict(_, values):
                for each in values:
                    yield from possible_values(each)
            case ast.DictComp(_, element):
                yield from possible_values(element)
            case ast.Call(ast.Name(name), [inner], []) if name in _COPIES:
                yield from possible_elements(inner)
            case ast.Call(ast.Attribute(inner, "values" | "copy"), [], []):
                yield from possible_elements(inner)
            case _:
                yield ast.Starred(value, ast.Load())


def put_into(node: ast.AST) -> tuple[ast.expr, ast.expr] | None:
    """A collection that something is put into, and what: `jobs.append(job)`, `jobs[key] = job`."""
    match node:
        case ast.Call(ast.Attribute(collection, method), [value], []) if method in APPENDERS:
            return collection, value
        case ast.Assign([ast.Subscript(collection)], value):
            return collection, value
    return None


def put_into_name(name: str, function: FunctionNode) -> Iterator[ast.expr]:
    """What a function puts into a collection of that name."""
    for node in body_nodes(function):
        put = put_into(node)
        if put is not None and is_name(put[0], name):
            yield put[1]
