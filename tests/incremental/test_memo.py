"""Remembered answers do not depend on who asked first."""

from __future__ import annotations

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


class Paths(Reachable):
    """The same, but an answer says by which ways: where it was cut is seen."""

    def _compute(self, node: str) -> frozenset[str]:
        further = [node + way for other in self.graph[node] for way in self.ask(other)]
        return frozenset(further) or frozenset(node)


def test_a_question_is_computed_once() -> None:
    questions = Reachable({"a": "bb", "b": ""})
    questions.ask("a")
    questions.ask("a")
    assert questions.computed == ["a", "b"]


def test_a_question_inside_itself_gets_the_default() -> None:
    assert Reachable({"a": "a"}).ask("a") == {"a"}


@pytest.mark.parametrize(
    "graph",
    [
        {"a": "b", "b": "c", "c": "a"},
        {"a": "bc", "b": "a", "c": "bd", "d": "d"},
        {"a": "b", "b": "cb", "c": "ab", "d": "ac"},
    ],
)
def test_answers_about_a_circle_do_not_depend_on_the_order(graph: Graph) -> None:
    alone = {node: Paths(graph).ask(node) for node in graph}
    for order in permutations(graph):
        questions = Paths(graph)
        assert {node: questions.ask(node) for node in order} == alone


def test_answers_on_a_circle_are_not_kept() -> None:
    questions = Reachable({"a": "b", "b": "a"})
    questions.ask("a")
    assert not questions.store


def test_what_leads_to_a_circle_or_away_from_it_is_kept() -> None:
    questions = Reachable({"x": "a", "a": "ba", "b": "c", "c": ""})
    questions.ask("x")
    assert set(questions.store) == {"x", "b", "c"}


def test_a_failure_leaves_no_question_open() -> None:
    memo = Memo()
    store: Store[int] = {}
    with pytest.raises(ZeroDivisionError):
        memo.get(store, "q", lambda: 1 // 0, 0)
    assert memo.get(store, "q", lambda: 1, 0) == 1


def test_very_deep_questions_end() -> None:
    chain = {chr(1000 + i): chr(1001 + i) for i in range(500)}
    chain[chr(1500)] = ""
    assert len(Reachable(chain).ask(chr(1000))) < 500
