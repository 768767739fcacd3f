"""Qualified names to roles."""

from __future__ import annotations

import pytest

from logctx_lint.config.role_lookup import Vocabulary
from logctx_lint.config.vocabulary import BUILT_IN, Role

# All that comes from Twisted is raw.
_GATHERS = {Role.GATHERER, Role.RAW_AWAITABLE}


def test_a_built_in_name_has_its_role() -> None:
    assert Vocabulary({}).roles(["twisted.internet.defer.gatherResults"]) == _GATHERS


def test_a_bare_name_has_no_role() -> None:
    assert Vocabulary({}).roles(["gatherResults", "pop", "run_in_background"]) == frozenset()


def test_any_of_a_callee_s_names_counts() -> None:
    names = ["main.gather", "twisted.internet.defer.gatherResults"]
    assert Vocabulary({}).roles(names) == _GATHERS


def test_a_project_adds_names() -> None:
    vocabulary = Vocabulary({Role.GATHERER: ("mine.collect",)})
    assert vocabulary.roles(["mine.collect"]) == {Role.GATHERER}
    assert vocabulary.roles(["twisted.internet.defer.gatherResults"]) == _GATHERS


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("mine.start_*", "mine.start_task", True),
        ("mine.start_*", "mine.stop_task", False),
        ("*.start", "a.b.start", True),
        ("*.start", "start", False),
        ("mine.[ab]", "mine.b", True),
        ("mine.?", "mine.ab", False),
        ("mine.f", "mineXf", False),
        ("mine.*.start", "mine.a.b.start", True),
        ("mine.*.start", "yours.a.start", False),
        ("mine.*", "mine.a.b", True),
        ("mine.*", "yours.a", False),
        ("m*.start", "mine.start", True),
        ("st*", "start", True),
        ("st*", "mine.start", False),
        ("[ab.]x", ".x", True),
        ("mine[.!]f", "mine.f", True),
        ("mine.start[.]", "mine.start.", True),
    ],
)
def test_globs(pattern: str, name: str, expected: bool) -> None:
    found = Vocabulary({Role.FIRED: (pattern,)}).roles([name])
    assert (Role.FIRED in found) is expected


def test_one_name_may_have_several_roles() -> None:
    vocabulary = Vocabulary({Role.FIRED: ("mine.f",), Role.DROPPABLE: ("mine.*",)})
    assert vocabulary.roles(["mine.f"]) == {Role.FIRED, Role.DROPPABLE}


def test_the_project_s_own_names_come_first_and_globs_are_no_names() -> None:
    vocabulary = Vocabulary({Role.BACKGROUND_STARTER: ("mine.start", "mine.start_*")})
    names = list(vocabulary.names_of(Role.BACKGROUND_STARTER))
    assert names[0] == "mine.start"
    assert not any("*" in name for name in names)
    assert set(names[1:]) <= set(BUILT_IN[Role.BACKGROUND_STARTER])


@pytest.mark.parametrize("role", Role)
def test_every_built_in_name_is_qualified_and_has_its_role(role: Role) -> None:
    vocabulary = Vocabulary({})
    for name in BUILT_IN.get(role, ()):
        assert "." in name
        assert role in vocabulary.roles([name.replace("*", "x")])
