"""Every example of ``docs/runtime.md`` runs, and prints what stands below it."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from logctx_lint import runtime
from logctx_lint.runtime import processes

DOCS = Path(__file__).parents[2] / "docs" / "runtime.md"
TEXT = DOCS.read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", TEXT, re.DOTALL)


@pytest.mark.parametrize(("code", "expected"), EXAMPLES)
def test_example_prints_what_the_page_says(
    code: str,
    expected: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "_counts", {})
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    exec(compile(code, str(DOCS), "exec"), {"__name__": "example"})
    assert capsys.readouterr().out == expected


def test_examples_were_found() -> None:
    assert len(EXAMPLES) == TEXT.count("```python") > 10


def test_every_public_name_is_on_the_page() -> None:
    assert [name for name in runtime.__all__ if name not in TEXT] == []


def test_links_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    linked = set(re.findall(r"\]\(#([^)]*)\)", TEXT))
    assert linked <= anchors
