"""What a text always awaits, told without parsing it."""

from __future__ import annotations

from textwrap import indent

import pytest

from logctx_lint.project.always_awaited import always_awaited

THREE = """\
async def f(self, s):
    await s.call(1)
    x = await self.s.call(2)
    print(await s.call(3))
"""


@pytest.mark.parametrize(
    "more",
    [
        "",
        "s.call(4)\n",
        "x = s.call(4)\n",
        "tasks = [s.call(4), s.call(5)]\n",
        "run(\n    s.call(4),\n    s.call(5),\n)\n",
        "return s.call(4)\nreturn s.call(5)\n",
        "# s.call(4)\n# s.call(5)\n",
        "def call(self): ...\n",
    ],
)
def test_one_call_that_is_not_awaited_is_the_odd_one_out(more: str) -> None:
    assert always_awaited(THREE + indent(more, "    ")).by_await == {"s.call"}


@pytest.mark.parametrize(
    "more",
    [
        "s.call(4)\ns.call(5)\n",
        "x = s.call(4)\nif s.call(5): ...\n",
        "try:\n    s.call(4)\nexcept E:\n    s.call(5)\n",
        "return s.call(4).name\nreturn s.call(5)[0]\n",
    ],
)
def test_two_are_not(more: str) -> None:
    assert not always_awaited(THREE + indent(more, "    ")).everywhere


def test_a_plain_function_cannot_await() -> None:
    assert always_awaited(f"{THREE}def g(s):\n    s.call(4)\n    s.call(5)\n").everywhere


def test_twice_is_not_often() -> None:
    assert not always_awaited("await s.call(1)\nawait s.call(2)\n").everywhere


def test_what_is_awaited_may_be_what_comes_of_a_call() -> None:
    assert not always_awaited("await s.call((1)).send()\n" * 3).everywhere


def test_a_name_is_not_an_attribute_of_that_name() -> None:
    assert always_awaited("await call(1)\n" * 3 + "s.call(1)\n" * 3).everywhere == {"call"}


def test_generators_yield_too() -> None:
    text = "yield s.call(1)\n" * 3
    assert not always_awaited(text).everywhere
    found = always_awaited(f"@inlineCallbacks\n{text}")
    assert found.everywhere == {"s.call"}
    assert not found.by_await


def test_what_is_asked_of_a_part_is_not_asked_of_the_whole() -> None:
    text = "await self.s.call(1)\n" * 2 + "await s.call(1)\n" + "await s.part.call(1)\n" * 3
    assert always_awaited(text).by_await == {"s.call", "s.part.call"}


def test_a_part_that_is_called_plainly_says_nothing_of_the_whole() -> None:
    plain = "async def g(s):\n    s.part.s.call(1)\n    s.part.s.call(2)\n"
    assert always_awaited(THREE + plain).by_await == {"s.call"}
