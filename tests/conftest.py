"""What holds for all tests."""

from __future__ import annotations

import os

import pytest

from logctx_lint.config import environment


@pytest.fixture(autouse=True)
def nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests see does not depend on what is installed beside them."""
    monkeypatch.setattr(environment, "_VARIABLES", ())
    monkeypatch.setattr(environment, "_PREFIX", os.devnull)
