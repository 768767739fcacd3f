"""Libraries that a project has from elsewhere, or in an older release than our stubs speak of."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

_FILES = re.compile(
    r"requirements[\w.-]*\.(?:txt|in)|pyproject\.toml|setup\.(?:py|cfg)|Pipfile|environment\.ya?ml"
)
_IN_FOLDER = re.compile(r"[\w.-]+\.(?:txt|in)")
_MOST = 200_000
"""Characters that are read of a file."""


def _older(name: str, major: int) -> str:
    """A requirement of nothing but releases before a major one, in any file's notation."""
    older = "|".join(map(str, range(major)))
    pinned = rf"""(?:={{1,3}}|~=|\^|~|<=)\s*["']?(?:{older})\b"""
    below = rf"<\s*{major}\b(?![.]\d*[1-9])"
    start = rf"""{name}(?:\[[^]]*\])?["']?\s*(?:[:=]\s*["'])?(?:>=?[\d.\s]+,\s*)?"""
    return f"{start}(?:{pinned}|{below})"


_UNLIKE = {
    "discord": re.compile(rf"\b(?:py[-_]?cord\b|{_older(r'discord(?:[.]py)?', 2)})", re.I),
    "telegram": re.compile(rf"\b{_older('python[-_.]telegram[-_.]bot', 20)}", re.I),
}
"""What requirements say where a library is another one of that name, or synchronous still."""


def unlike_their_stubs(root: Path) -> tuple[str, ...]:
    """The libraries that the requirements beside the settings file want otherwise."""
    texts = list(_texts(root))
    return tuple(
        name for name, unlike in _UNLIKE.items() if any(unlike.search(each) for each in texts)
    )


def _texts(root: Path) -> Iterator[str]:
    for folder, files in ((root, _FILES), (root / "requirements", _IN_FOLDER)):
        try:
            with os.scandir(folder) as entries:
                paths = [each.path for each in entries if files.fullmatch(each.name)]
        except OSError:
            continue
        for path in paths:
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    yield file.read(_MOST)
            except OSError:
                continue
