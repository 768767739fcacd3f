"""docs/settings.md: generated, complete and up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from logctx_lint.config.docs import markdown
from logctx_lint.config.settings import described
from logctx_lint.config.vocabulary import Role

_PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_committed_page_is_up_to_date() -> None:
    assert _PAGE.read_text(encoding="utf-8") == markdown()


@pytest.mark.parametrize("name", described())
def test_the_page_has_a_section_for_every_setting(name: str) -> None:
    assert f"\n## {name.replace('_', '-')}\n" in markdown()


@pytest.mark.parametrize("role", Role)
def test_the_page_lists_every_role(role: Role) -> None:
    assert f"\n- `{role.value}`" in markdown()
