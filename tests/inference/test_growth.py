"""Inference costs what the code is long, whatever asks what. Counted in questions, not time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.inference import KINDS, cost


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_twice_the_code_asks_twice_the_questions(
    tmp_path: Path, kind: Callable[[int], str]
) -> None:
    small, large = (cost(kind(size), tmp_path).questions for size in (20, 40))
    assert small > 0
    assert large <= 2.2 * small
