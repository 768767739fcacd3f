"""What statements and operators make of values."""

from __future__ import annotations

from pathlib import Path

import pytest

from logctx_lint.inference.types import Certainty
from tests.support.projects import Project, awaitabilities, types

EXPRESSIONS = {
    "await co()": "int",
    "co() if c else None": "Coroutine[?, ?, int] | None",
    "c or co()": "? | Coroutine[?, ?, int]",
    "none_or_int or ''": "int | str",
    "c and co()": "None | Coroutine[?, ?, int]",
    "(x := co())": "Coroutine[?, ?, int]",
    "lambda: co()": "() -> Coroutine[?, ?, int]",
    "(lambda: co())()": "Coroutine[?, ?, int]",
    "[co()]": "list[Coroutine[?, ?, int]]",
    "[co()][0]": "Coroutine[?, ?, int]",
    "[co()][:1]": "list[Coroutine[?, ?, int]]",
    "{'a': co()}['a']": "Coroutine[?, ?, int]",
    "(1, co())[1]": "Coroutine[?, ?, int]",
    "(1, co())[-2]": "int",
    "(1, '')[c]": "int | str",
    "{co()}": "set[Coroutine[?, ?, int]]",
    "(1, *c)": "tuple",
    "f'{c}'": "str",
    "not c": "bool",
    "1 < 2": "bool",
    "1 + 2": "int",
    "'%s' % c": "str",
    "c + 1": "?",
    "None": "None",
    "type(D())": "type[D]",
    "D().x.y.z": "?",
}


@pytest.mark.parametrize(("expression", "expected"), EXPRESSIONS.items())
def test_expression(tmp_path: Path, expression: str, expected: str) -> None:
    text = f"""
async def co() -> int: ...
class D: ...
async def f(c, none_or_int: int | None):
    reveal({expression})
"""
    assert types(tmp_path, text) == [expected]


def test_unpacking(tmp_path: Path) -> None:
    text = """
        from typing import Dict, List, Tuple
        def pair() -> Tuple[int, Tuple[str, bytes]]: ...
        def f(items: Dict[str, List[int]], pairs: List[Tuple[int, str]]):
            a, (b, c) = pair()
            reveal(a)
            reveal(c)
            for key, values in items.items():
                reveal(key)
                reveal(values)
            for i, (x, y) in enumerate(pairs):
                reveal(y)
            for left, right in zip(items, pairs):
                reveal(left)
                reveal(right)
            first, *rest = pair()
            reveal(first)
            reveal(rest)
            d = e = 1
            reveal(e)
    """
    assert types(tmp_path, text) == [
        *("int", "bytes", "str", "list[int]", "str", "str", "(int, str)", "int", "?", "int"),
    ]


def test_loops_over_one_s_own_iterators(tmp_path: Path) -> None:
    text = """
        class Items:
            def __iter__(self): return self
            def __next__(self) -> int: ...
        class Later:
            def __aiter__(self): return Iterator()
        class Iterator:
            async def __anext__(self) -> str: ...
        class Indexed:
            def __getitem__(self, index: int) -> bytes: ...
        async def generator():
            yield 1
        async def f():
            for x in Items():
                reveal(x)
            async for y in Later():
                reveal(y)
            for z in Indexed():
                reveal(z)
            async for g in generator():
                reveal(g)
    """
    assert types(tmp_path, text) == ["int", "str", "bytes", "?"]


def test_with_statements(tmp_path: Path) -> None:
    text = """
        class Plain:
            def __enter__(self): return self
        class Later:
            async def __aenter__(self) -> int: ...
        class Pair:
            def __enter__(self) -> tuple[int, str]: ...
        async def f():
            with Plain() as p, Pair() as (x, y):
                reveal(p)
                reveal(y)
            async with Later() as l:
                reveal(l)
    """
    assert types(tmp_path, text) == ["Plain", "str", "int"]


def test_awaiting_gives_what_each_kind_holds(tmp_path: Path) -> None:
    text = """
        import asyncio
        from typing import Awaitable, Optional, Union
        from twisted.internet.defer import Deferred
        async def f(a: Awaitable[int], b: "Deferred[str]", c: "asyncio.Future[bytes]",
                    d: "asyncio.Task[float]", e: Union["Deferred[int]", Awaitable[str]]):
            reveal(await a)
            reveal(await b)
            reveal(await c)
            reveal(await d)
            reveal(await e)
    """
    assert types(tmp_path, text) == ["int", "str", "bytes", "float", "int | str"]


def test_a_local_alias_keeps_its_qualified_name(tmp_path: Path) -> None:
    text = """
        from twisted.internet import defer
        def f():
            gather = defer.gatherResults
            reveal(gather)
    """
    names = Project(tmp_path, {"main.py": text}).names("main.py")
    assert "twisted.internet.defer.gatherResults" in names[0]


def test_what_a_name_is_declared_as_counts_where_its_value_says_nothing(tmp_path: Path) -> None:
    text = """
        from typing import Awaitable, Callable, Optional
        def run(owner, name):
            method: Optional[Callable[[], Awaitable[int]]]
            method = getattr(owner, name, None)
            reveal(method())
            method = None
            reveal(method)
            method = int
            reveal(method)
    """
    assert types(tmp_path, text) == ["Awaitable[int]", "None", "type[int]"]


def test_a_name_that_is_bound_further_out_may_be_what_it_is_there(tmp_path: Path) -> None:
    text = """
        from typing import Optional
        started: "Optional[str]" = None
        def outer() -> None:
            count: Optional[int] = None
            def inner() -> None:
                global started
                nonlocal count
                reveal(started)
                reveal(count)
                if not started:
                    started = 1.5
                    count = ""
                reveal(count)
    """
    assert types(tmp_path, text) == ["str | None", "int | None", "int | None | str"]


def test_one_of_several_things_that_may_be_anything_is_only_sometimes_awaitable(
    tmp_path: Path,
) -> None:
    text = """
        from typing import Any, Awaitable, Callable, Generic, TypeVar, Union
        R = TypeVar("R")
        class Job(Generic[R]):
            def __init__(self, target: Callable[[], R]) -> None:
                self.target = target
        def run(job: "Job[Union[Awaitable[R], R]]", other: "Awaitable[int] | Any", third: Any):
            reveal(job.target())
            reveal(other)
    """
    answers = awaitabilities(tmp_path, text)
    assert [each.certainty for each in answers] == [Certainty.SOME, Certainty.SOME]
