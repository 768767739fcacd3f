"""How the fuzzers run: a few examples, the same each time, or new ones for as long as is wanted.

`FUZZ_SECONDS=600 pytest tests/fuzz` gives each fuzzer ten minutes; with `-rP` it says how many
examples that were. What one finds becomes a file in `corpus/`, all of which are always tried.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CORPUS = Path(__file__).parent / "corpus"
_SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
_ROUND = 500
"""Examples after which a long run looks at the clock."""
_ANY_SPEED = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]

Test = Callable[..., None]


def fuzzed(examples: int, **strategies: st.SearchStrategy[Any]) -> Callable[[Test], Test]:
    """Call a test with examples of these strategies."""

    def decorate(test: Test) -> Test:
        how = settings(
            max_examples=_ROUND if _SECONDS else examples,
            derandomize=not _SECONDS,
            database=None,
            deadline=None,
            suppress_health_check=_ANY_SPEED,
        )
        once = how(given(**strategies)(test))
        if not _SECONDS:
            return once

        @functools.wraps(once)
        def for_long(*arguments: object, **named: object) -> None:
            end = time.monotonic() + _SECONDS
            examples = 0
            while time.monotonic() < end:
                once(*arguments, **named)
                examples += _ROUND
            print(f"{examples} examples")

        return for_long

    return decorate


def corpus(folder: str) -> pytest.MarkDecorator:
    """Call a test with the `data` of each file of a part of the corpus."""
    files = sorted((CORPUS / folder).iterdir())
    assert files
    return pytest.mark.parametrize(
        "data", [path.read_bytes() for path in files], ids=[path.stem for path in files]
    )
