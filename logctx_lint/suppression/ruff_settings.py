"""Checks that the project's ruff accepts `# noqa: LCX...` (its setting `external`)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from logctx_lint.syntax.source import Unreadable, read_bytes

_PREFIX = "LCX"


def advice(root: Path) -> str:
    """What to tell whoever runs ruff here without `external`; empty when all is well."""
    for name in (".ruff.toml", "ruff.toml", "pyproject.toml"):
        table = _table(root / name)
        if table is None:
            continue
        known = [*_external(table), *_external(table.get("lint"))]
        if any(_PREFIX.startswith(str(each)) for each in known):
            return ""
        section = "[tool.ruff.lint]" if name == "pyproject.toml" else "[lint]"
        return (
            f"ruff takes `# noqa: LCX...` for unused and removes it, unless {name} says"
            f' external = ["LCX"] below {section}'
        )
    return ""


def _external(table: object) -> list[object]:
    """The codes that ruff leaves to others, as a section has them."""
    external = table.get("external") if isinstance(table, dict) else None
    return external if isinstance(external, list) else []


def _table(path: Path) -> dict[str, Any] | None:
    """ruff's settings in a file; None when it has none."""
    try:
        document: dict[str, Any] = tomllib.loads(read_bytes(path).decode())
    except (Unreadable, ValueError, RecursionError):
        return None
    if path.name != "pyproject.toml":
        return document
    tools = document.get("tool")
    table = tools.get("ruff") if isinstance(tools, dict) else None
    return table if isinstance(table, dict) else None
