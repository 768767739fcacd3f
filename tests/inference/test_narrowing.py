"""What `isinstance` says of names and attributes, and for how long."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.projects import types

CASES = {
    "in the branch": ("if isinstance(x, A):\n    reveal(x)\nreveal(x)", ["A", "?"]),
    "not in the other": ("if isinstance(x, A):\n    pass\nelse:\n    reveal(x)", ["?"]),
    "one of several is ruled out": (
        "if isinstance(z, B):\n    pass\nelse:\n    reveal(z)",
        ["int"],
    ),
    "ruled out by a guard": ("if isinstance(z, A):\n    return\nreveal(z)", ["int"]),
    "ruled out by `or`": ("if c or isinstance(z, int):\n    return\nreveal(z)", ["B"]),
    "not ruled out by `and`": (
        "if c and isinstance(z, int):\n    return\nreveal(z)",
        ["B | int"],
    ),
    "nothing is left": ("if isinstance(z, (B, int)):\n    return\nreveal(z)", ["?"]),
    "after an assertion": ("assert isinstance(x, A)\nreveal(x)", ["A"]),
    "after a guard": ("if not isinstance(x, A):\n    return\nreveal(x)", ["A"]),
    "a guard that goes on says nothing": (
        "if not isinstance(x, A):\n    pass\nreveal(x)",
        ["?"],
    ),
    "beside other conditions": ("if isinstance(x, A) and c:\n    reveal(x)", ["A"]),
    "not as one of several": ("if isinstance(x, A) or c:\n    reveal(x)", ["?"]),
    "one of several classes": ("if isinstance(x, (A, B)):\n    reveal(x)", ["A | B"]),
    "an attribute": ("assert isinstance(c.x, A)\nreveal(c.x)\nreveal(c.x.a())", ["A", "int"]),
    "until the name is bound again": ("assert isinstance(x, A)\nx = 1\nreveal(x)", ["int"]),
    "until the attribute is": ("assert isinstance(c.x, A)\nc.x = c\nreveal(c.x)", ["?"]),
    "until what has it is": ("assert isinstance(c.x, A)\nc = B()\nreveal(c.x)", ["?"]),
    "only to the end of the block": (
        "if c:\n    assert isinstance(x, A)\nreveal(x)",
        ["?"],
    ),
    "within comprehensions": ("assert isinstance(x, A)\n[reveal(x) for _ in c]", ["A"]),
    "a class that is nowhere says nothing": (
        "if isinstance(x, Missing):\n    reveal(x)",
        ["?"],
    ),
    "an inner test wins": (
        "if isinstance(x, A):\n    if isinstance(x, B):\n        reveal(x)",
        ["B"],
    ),
    "type arguments stay": ("if isinstance(y, list):\n    reveal(y)", ["list[int]"]),
    "subclasses stay": ("if isinstance(z, A):\n    reveal(z)", ["B"]),
}  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), CASES.values(), ids=CASES)
def test_isinstance(tmp_path: Path, body: str, expected: list[str]) -> None:
    lines = "\n".join("    " + line for line in body.splitlines())
    text = f"""
class A:
    def a(self) -> int: ...
class B(A): ...
def f(x, c, y: list[int] | None, z: B | int):
{lines}
"""
    assert types(tmp_path, text) == expected
