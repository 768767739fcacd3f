"""Libraries that a project replaces by a fork, or pins to a release older than our stubs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

_FILES = re.compile(
    r"requirements[\w.-]*\.(?:txt|in)|pyproject\.toml|setup\.(?:py|cfg)|Pipfile|environment\.ya?ml"
)
_IN_FOLDER = re.compile(r"[\w.-]+\.(?:txt|in)")
_METADATA = re.compile(r"METADATA|requires\.txt")
"""What is built of a project says as well, beside the packages: in `NAME.dist-info`."""
_OF_METADATA = (".dist-info", ".egg-info")
_MOST = 200_000
"""Characters that are read of a file."""


def _older(name: str, major: int) -> str:
    """A requirement of nothing but releases before a major one, in any file's notation."""
    older = "|".join(map(str, range(major)))
    pinned = rf"""(?:={{1,3}}|~=|\^|~|<=)\s*["']?(?:{older})\b"""
    below = rf"<\s*{major}\b(?![.]\d*[1-9])"
    start = rf"""{name}(?:\[[^]]*\])?["']?\s*\(?(?:[:=]\s*["'])?(?:>=?[\d.\s]+,\s*)?"""
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
    places = [(root, _FILES), (root / "requirements", _IN_FOLDER)]
    places += [(folder, _METADATA) for folder in _metadata(root)]
    for folder, files in places:
        try:
            with os.scandir(folder) as entries:
                paths = [each.path for each in entries if files.fullmatch(each.name)]
        except OSError:
            continue
        for path in paths:
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    text = file.read(_MOST)
                # Behind the head of METADATA is a description, for people.
                yield text.partition("\n\n")[0] if path.endswith("METADATA") else text
            except OSError:
                continue


def _metadata(root: Path) -> list[Path]:
    """The folders there that hold the metadata of a distribution."""
    try:
        with os.scandir(root) as entries:
            return [Path(each.path) for each in entries if each.name.endswith(_OF_METADATA)]
    except OSError:
        return []
