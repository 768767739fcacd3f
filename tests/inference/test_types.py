"""Unions: flat, without repeats, and no wider than says anything."""

from __future__ import annotations

import random

from logctx_lint.inference.types import (
    UNKNOWN,
    WIDEST,
    ExternalInstance,
    Type,
    members_of,
    union_of,
)


def some(count: int) -> list[Type]:
    return [ExternalInstance(f"some.Class{number}") for number in range(count)]


def test_a_union_is_as_wide_as_says_anything() -> None:
    assert len(members_of(union_of(some(WIDEST)))) == WIDEST


def test_a_wider_one_is_not_known_in_whatever_order_its_members_come() -> None:
    members = some(WIDEST + 1)
    for seed in range(5):
        random.Random(seed).shuffle(members)
        assert union_of(members) == UNKNOWN


def test_repeats_do_not_count() -> None:
    assert len(members_of(union_of([*some(WIDEST), *some(WIDEST)]))) == WIDEST
