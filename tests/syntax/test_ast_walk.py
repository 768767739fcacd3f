"""Walks over trees find what those of `ast` find."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import logctx_lint
from logctx_lint.syntax.ast_walk import (
    all_nodes,
    all_statements,
    child_blocks,
    child_nodes,
    own_nodes,
)

EVERY_STATEMENT = """
import a.b as c
from .d import e as f
@decorator
class K(Base, metaclass=Meta):
    x: int = 1
async def g(a, /, b: int = 1, *args: str, c, d=2, **rest) -> None:
    global h
    async with one as two, three: pass
    async for i in j: await k
    else: l = [m async for m in n if m]
    try: yield o
    except (P, Q) as error: raise R from error
    else: del s[1:2, ...]
    finally: return lambda t, u=v: {**w, 'x': -y, **z}
match point:
    case {"a": 1, **rest} if rest: pass
    case K(1, x=None) | [1, *others] as whole: pass
while (n := f"{a!r:>{width}} {b}"): x += 1 if not y else 2; continue
assert a < b <= c, f(*d, e=1, **g)
if a and b or {c for c in d} or {e: 1}: pass
elif (yield from h): nonlocal_ = 1
"""
NEWER = """
try: pass
except* E: pass
"""
NEWEST = """
type A[T: int] = list[T]
def f[T](x: T): pass
class C[*Ts, **P]: pass
"""
TEXTS = [EVERY_STATEMENT, *[NEWER] * (sys.version_info >= (3, 11))]
TEXTS += [NEWEST] * (sys.version_info >= (3, 12))
TEXTS += [path.read_text("utf-8") for path in Path(logctx_lint.__file__).parent.rglob("*.py")]


def plain(node: ast.AST) -> bool:
    return isinstance(node, ast.expr_context | ast.operator | ast.unaryop | ast.cmpop | ast.boolop)


@pytest.mark.parametrize("text", TEXTS)
def test_nodes_are_those_of_ast_without_contexts_and_operators(text: str) -> None:
    tree = ast.parse(text)
    wanted = [node for node in ast.walk(tree) if not plain(node)]
    assert len(list(all_nodes(tree))) == len(wanted)
    assert set(all_nodes(tree)) == set(wanted)
    for node in wanted:
        children = [child for child in ast.iter_child_nodes(node) if not plain(child)]
        assert child_nodes(node) == children


def test_own_nodes_stop_at_functions_and_classes() -> None:
    tree = ast.parse("a\ndef f(x=b): c\nclass K(d): e\nlambda: g\n[h for h in i]")
    names = {node.id for node in own_nodes(tree.body) if isinstance(node, ast.Name)}
    assert names == {"a", "h", "i"}
    functions = [node for node in own_nodes(tree.body) if isinstance(node, ast.FunctionDef)]
    assert functions == [tree.body[1]]


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("if a: b\nelse: c", "b c"),
        ("if a: b", "b"),
        ("for a in x: b\nelse: c", "b c"),
        ("while a: b\nelse: c", "b c"),
        ("with a: b", "b"),
        ("try: a\nexcept E: b\nexcept F: c\nelse: d\nfinally: e", "a b c d e"),
        ("match x:\n case 1: a\n case 2: b", "a b"),
        ("def f(): a", ""),
        ("class K: a", ""),
        ("a", ""),
    ],
)
def test_child_blocks_come_in_source_order(text: str, blocks: str) -> None:
    (statement,) = ast.parse(text).body
    assert [ast.unparse(each) for block in child_blocks(statement) for each in block] == (
        blocks.split()
    )


@pytest.mark.parametrize("text", TEXTS)
def test_all_statements_are_those_that_ast_finds(text: str) -> None:
    tree = ast.parse(text)
    found = list(all_statements(tree.body))
    assert len(found) == len(set(found))
    assert set(found) == {node for node in ast.walk(tree) if isinstance(node, ast.stmt)}
