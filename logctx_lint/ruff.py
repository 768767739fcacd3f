"""Does the project's ruff know that `# noqa: LCX...` is somebody else's?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_PREFIX = "LCX"


def advice(root: Path) -> str:
    """What to tell whoever runs ruff here without `external`; empty when all is well."""
    for name in (".ruff.toml", "ruff.toml", "pyproject.toml"):
        table = _table(root / name)
        if table is None:
            continue
        lint = table.get("lint", {})
        known = [*table.get("external", []), *lint.get("external", [])]
        if any(_PREFIX.startswith(str(each)) for each in known):
            return ""
        section = "[tool.ruff.lint]" if name == "pyproject.toml" else "[lint]"
        return (
            f"ruff takes `# noqa: LCX...` for unused and removes it, unless {name} says"
            f' external = ["LCX"] below {section}'
        )
    return ""


def _table(path: Path) -> dict[str, Any] | None:
    """ruff's settings in a file; None when it has none."""
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        table = document.get("tool", {}).get("ruff") if path.name == "pyproject.toml" else document
    except (OSError, UnicodeError, tomllib.TOMLDecodeError, AttributeError):
        return None
    return table if isinstance(table, dict) else None
