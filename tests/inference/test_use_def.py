"""Which bindings of a name reach a use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.projects import Project, types


def in_function(folder: Path, body: str) -> list[str]:
    """What is revealed in the body of a function of `c`, a condition, and `xs`, a list."""
    lines = "\n".join("    " + line for line in body.splitlines())
    return types(folder, "async def f(c, xs: list[int], d: int = 0):\n" + lines)


CASES = {
    "a later binding hides an earlier one": ("x = 1\nx = ''\nreveal(x)", ["str"]),
    "a use before a later binding does not see it": ("x = 1\nreveal(x)\nx = ''", ["int"]),
    "both branches may have run": (
        "if c:\n    x = 1\nelse:\n    x = ''\nreveal(x)",
        ["int | str"],
    ),
    "a branch may not have run": ("x = 1\nif c:\n    x = ''\nreveal(x)", ["int | str"]),
    "inside a branch only its own binding counts": (
        "x = 1\nif c:\n    x = ''\n    reveal(x)",
        ["str"],
    ),
    "one branch does not see the other": (
        "x = b''\nif c:\n    x = 1\nelse:\n    reveal(x)",
        ["bytes"],
    ),
    "a branch that returns does not reach what follows": (
        "x = 1\nif c:\n    x = ''\n    return x\nreveal(x)",
        ["int"],
    ),
    "a branch that raises does not reach what follows": (
        "x = 1\nif c:\n    x = ''\n    raise c\nreveal(x)",
        ["int"],
    ),
    "a loop brings later bindings round": (
        "x = 1\nwhile c:\n    reveal(x)\n    x = ''\n",
        ["int | str"],
    ),
    "a loop that binds first needs no earlier round": (
        "while c:\n    x = 1\n    reveal(x)\n    x = ''\n",
        ["int"],
    ),
    "a loop's target is bound in its body": ("x = ''\nfor x in xs:\n    reveal(x)", ["int"]),
    "a loop's target outlives it": ("for x in xs:\n    pass\nreveal(x)", ["int"]),
    "a try may have stopped anywhere": (
        "x = 1\ntry:\n    x = ''\nexcept Exception:\n    pass\nreveal(x)",
        ["int | str"],
    ),
    "a handler's name is the exception": (
        "try:\n    pass\nexcept (ValueError, KeyError) as e:\n    reveal(e)",
        ["ValueError | KeyError"],
    ),
    "finally always runs": (
        "x = 1\ntry:\n    pass\nfinally:\n    x = ''\nreveal(x)",
        ["str"],
    ),
    "with always runs": ("x = 1\nwith c:\n    x = ''\nreveal(x)", ["str"]),
    "a walrus binds": ("if (x := 1) and c:\n    reveal(x)", ["int"]),
    "a walrus in a comprehension binds outside": ("[y := '' for _ in xs]\nreveal(y)", ["str"]),
    "a variable may be replaced by what was made of it": (
        "async def g() -> int: ...\nx = g()\nreveal(x)\nx = await x\nreveal(x)",
        ["Coroutine[?, ?, int]", "int"],
    ),
    "an annotation says more than a value": ("x: 'list[int]' = c\nreveal(x)", ["list[int]"]),
    "an augmented assignment says nothing": ("x = 1\nx += c\nreveal(x)", ["?"]),
    "deleting and global statements bind nothing": ("global y\nx = 1\ndel x\nreveal(x)", ["int"]),
    "what match captures is unknown": (
        "match c:\n    case [x, *y]:\n        reveal(x)\n        reveal(y)",
        ["?", "?"],
    ),
    "one case does not see another": (
        "x = b''\nmatch c:\n    case 1:\n        x = 1\n    case 2:\n        reveal(x)",
        ["bytes"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), CASES.values(), ids=CASES)
def test_reaching(tmp_path: Path, body: str, expected: list[str]) -> None:
    assert in_function(tmp_path, body) == expected


def test_a_closure_sees_every_binding_of_its_surroundings(tmp_path: Path) -> None:
    text = "x = 1\ndef g():\n    reveal(x)\nx = ''\ng()"
    assert in_function(tmp_path, text) == ["int | str"]


def test_a_closure_sees_through_a_class_body(tmp_path: Path) -> None:
    text = """
        x = 1
        class C:
            x = ""
            reveal(x)
            def f(self):
                reveal(x)
    """
    assert types(tmp_path, text) == ["str", "int"]


def test_a_comprehension_has_its_own_variables(tmp_path: Path) -> None:
    text = "x = ''\n[reveal(x) for x in xs]\nreveal(x)"
    assert in_function(tmp_path, text) == ["int", "str"]


def test_the_source_of_a_comprehension_is_read_outside(tmp_path: Path) -> None:
    assert in_function(tmp_path, "x = [xs]\n[reveal(x) for x in x]") == ["list[int]"]


def test_a_later_source_of_a_comprehension_sees_the_earlier_target(tmp_path: Path) -> None:
    assert in_function(tmp_path, "[reveal(y) for x in [xs] for y in x]") == ["int"]


def test_a_lambda_has_its_own_parameters(tmp_path: Path) -> None:
    assert in_function(tmp_path, "x = 1\nlambda x, y=1: reveal(x)\nreveal(x)") == ["?", "int"]


def test_a_parameter_may_be_rebound(tmp_path: Path) -> None:
    assert in_function(tmp_path, "reveal(d)\nif not d:\n    d = ''\nreveal(d)") == [
        "int",
        "int | str",
    ]


def test_a_nested_function_and_class_are_found(tmp_path: Path) -> None:
    text = """
        async def g() -> int: ...
        class C:
            async def m(self) -> str: ...
        reveal(g())
        reveal(C().m())
    """
    assert in_function(tmp_path, text.replace("\n        ", "\n")) == [
        "Coroutine[?, ?, int]",
        "Coroutine[?, ?, str]",
    ]


def test_a_local_name_is_qualified_by_its_function(tmp_path: Path) -> None:
    text = "class C:\n    def f(self):\n        def g(): ...\n        reveal(g)\n"
    assert Project(tmp_path, {"main.py": text}).names("main.py") == [("main.C.f.g",)]
