"""What holds for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from logctx_lint.config import environment


@pytest.fixture(autouse=True)
def nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests see does not depend on what is installed beside them."""
    monkeypatch.setattr(environment, "_VARIABLES", ())
    monkeypatch.setattr(environment, "_PREFIX", os.devnull)


_SLOW = (
    "fuzz/",
    "engine/test_findings_cache.py",
    "engine/test_memory.py",
    "engine/test_robustness.py",
    "engine/test_run_cache.py",
    "frontends/test_audit_page.py",
    "frontends/test_ci_recipes.py",
    "frontends/test_pre_commit.py",
    "frontends/test_server.py",
    "runtime/test_programs.py",
    "runtime/test_services.py",
    "runtime/test_web",
)
"""Folders and modules whose tests take long: `-m "not slow"` leaves them out."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what takes long."""
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).as_posix().startswith(_SLOW):
            item.add_marker(pytest.mark.slow)
