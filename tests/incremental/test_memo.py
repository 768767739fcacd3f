"""Remembered answers do not depend on who asked first."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from itertools import permutations

import pytest

from logctx_lint.incremental.memo import Memo, Store

Graph = dict[str, str]


class Reachable:
    """Which letters each letter leads to, by questions that ask each other."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.memo = Memo()
        self.store: Store[frozenset[str]] = {}
        self.computed: list[str] = []

    def ask(self, node: str) -> frozenset[str]:
        return self.memo.get(self.store, node, lambda: self._compute(node), frozenset())

    def _compute(self, node: str) -> frozenset[str]:
        self.computed.append(node)
        return frozenset(node).union(*(self.ask(other) for other in self.graph[node]))


def test_a_question_is_computed_once() -> None:
    questions = Reachable({"a": "bb", "b": ""})
    questions.ask("a")
    questions.ask("a")
    assert questions.computed == ["a", "b"]


def test_a_question_about_itself_is_answered() -> None:
    assert Reachable({"a": "a"}).ask("a") == {"a"}


@pytest.mark.parametrize(
    "graph",
    [
        {"a": "b", "b": "c", "c": "a"},
        {"a": "bc", "b": "a", "c": "bd", "d": "d"},
        {"a": "b", "b": "cb", "c": "ab", "d": "ac"},
    ],
)
def test_all_on_a_circle_know_what_each_knows(graph: Graph) -> None:
    def reachable(node: str) -> set[str]:
        found, waiting = set(), [node]
        while waiting:
            each = waiting.pop()
            if each not in found:
                found.add(each)
                waiting += graph[each]
        return found

    for order in permutations(graph):
        questions = Reachable(graph)
        assert {node: questions.ask(node) for node in order} == {
            node: reachable(node) for node in graph
        }
        assert set(questions.store) == set(graph)


class Machine:
    """Questions of any kind: what one asks, and what it makes of it, depends on the answers."""

    def __init__(self, seed: int, size: int) -> None:
        chance = random.Random(seed)
        self.size = size
        self.memo = Memo()
        self.store: Store[int] = {}
        self.rules = [
            [(chance.randrange(5), chance.randrange(size)) for _ in range(chance.randrange(4))]
            for _ in range(size)
        ]

    def ask(self, number: int) -> int:
        return self.memo.get(self.store, number, lambda: self._compute(number), 0)

    def _compute(self, number: int) -> int:
        value = number % 3
        for rule, other in self.rules[number]:
            if rule == 0:
                value = max(value, self.ask(other))
            elif rule == 1 and value % 2:
                # Asked only if the answer so far is odd.
                value += self.ask(other) % 5
            elif rule == 2:
                # Goes back and forth where it leads back.
                value = 7 - self.ask(other) % 7
            elif rule == 3 and not self.ask(other):
                value += self.ask((other + 1) % self.size)
            elif rule == 4:
                value = (value + self.ask((other + value) % self.size)) % 9
        return value


@pytest.mark.parametrize("seed", range(300))
def test_no_answer_depends_on_who_asked_first(seed: int) -> None:
    size = 3 + seed % 9
    alone = {number: Machine(seed, size).ask(number) for number in range(size)}
    for turn in range(4):
        order = list(range(size))
        random.Random(turn).shuffle(order)
        machine = Machine(seed, size)
        assert {number: machine.ask(number) for number in order} == alone


@pytest.mark.parametrize("size", [50, 400])
@pytest.mark.parametrize("further", [(1,), (1, 2), (1, 5, 9)])
def test_circles_cost_what_they_are_long(size: int, further: tuple[int, ...]) -> None:
    memo = Memo()
    store: Store[bool] = {}

    def ask(number: int) -> bool:
        def compute() -> bool:
            # The answer is found at one place, and goes round.
            others = [ask((number + step) % size) for step in further]
            return number == 7 or any(others)

        return memo.get(store, number, compute, default=False)

    assert ask(0)
    assert memo.computed <= size * (2 + len(further))


def test_a_failure_leaves_no_question_open() -> None:
    memo = Memo()
    store: Store[int] = {}
    with pytest.raises(ZeroDivisionError):
        memo.get(store, "q", lambda: 1 // 0, 0)
    assert memo.is_idle
    assert memo.get(store, "q", lambda: 1, 0) == 1


def test_no_question_is_too_deep() -> None:
    chain = {chr(1000 + i): chr(1001 + i) for i in range(3000)}
    chain[chr(4000)] = ""
    assert len(Reachable(chain).ask(chr(1000))) == 3001
    assert threading.active_count() == 1


def test_deep_circles_are_answered() -> None:
    ring = {chr(1000 + i): chr(1000 + (i + 1) % 500) for i in range(500)}
    questions = Reachable(ring)
    questions.memo = Memo(widen=lambda before, now, changes: before | now)
    # What changes in every round is given up.
    assert questions.ask(chr(1000)) == questions.ask(chr(1250))
    assert set(questions.store) == set(ring)


def test_a_failure_deep_inside_comes_out() -> None:
    memo = Memo()
    store: Store[int] = {}

    def ask(number: int) -> int:
        compute: Callable[[], int] = lambda: ask(number + 1) if number < 200 else 1 // 0  # noqa: E731
        return memo.get(store, number, compute, 0)

    with pytest.raises(ZeroDivisionError):
        ask(0)
    assert memo.is_idle


def test_what_does_not_ask_for_the_level_is_computed_once_for_all_levels() -> None:
    questions = Reachable({"a": "b", "b": ""})
    with questions.memo.lower():
        questions.ask("a")
    questions.ask("a")
    assert questions.computed == ["a", "b"]


def test_what_asks_for_the_level_has_an_answer_of_each() -> None:
    memo = Memo()
    store: Store[int] = {}

    def inner() -> int:
        return memo.get(store, "inner", lambda: memo.level, 0)

    def outer() -> int:
        return memo.get(store, "outer", inner, 0)

    for _ in range(2):
        assert outer() == 0
        with memo.lower():
            assert outer() == 1
            with memo.lower():
                assert outer() == 2


def test_a_circle_that_asks_for_the_level_has_an_answer_of_each() -> None:
    memo = Memo()
    store: Store[int] = {}

    def ask(number: int) -> int:
        return memo.get(store, number, lambda: compute(number), 0)

    def compute(number: int) -> int:
        return max(memo.level if number == 2 else 0, ask((number + 1) % 3))

    assert [ask(number) for number in range(3)] == [0, 0, 0]
    with memo.lower():
        assert [ask(number) for number in range(3)] == [1, 1, 1]
    assert [ask(number) for number in range(3)] == [0, 0, 0]
