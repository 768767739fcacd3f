"""Writing the reference runtime into a project as a package of its own, and comparing copies.

A service that uses the runtime then needs neither this linter nor what it depends on. Imports
between the runtime's modules are relative, so they work wherever the copy stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from logctx_lint import __version__
from logctx_lint.config.runtime_copies import MARK
from logctx_lint.errors import UserError

_RUNTIME = Path(__file__).parents[1] / "runtime"

HALVES = ("asyncio", "twisted")
_NEEDED_BY = {
    "asyncio": ("aiohttp_middleware", "asgi"),
    "twisted": ("deferreds", "observables", "timeouts", "web"),
}
"""The modules that one half alone needs."""

_HEADER = """\
# Copied from logctx-lint {version}: https://pypi.org/project/logctx-lint/
# SPDX-License-Identifier: Apache-2.0
# Do not edit: `logctx-lint runtime copy` writes it anew, `runtime copy --check` compares.

"""
_HINT = re.compile(r"pip install 'logctx-lint\[(twisted|testing)\]'")
_PACKAGE_OF_EXTRA = {"twisted": "twisted", "testing": "pytest"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a copy differs from what would be written now."""

    behind: str | None
    """The version that it was written by, where that is another one and the text differs."""
    changed: tuple[str, ...]
    """Files whose text is not the one that was written."""
    missing: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        return not (self.behind or self.changed or self.missing)


def copied_files(half: str | None = None) -> dict[str, str]:
    """The files of a copy, by name: of both halves, or of one only."""
    left_out = {name for other in HALVES if half and other != half for name in _NEEDED_BY[other]}
    files = {
        path.name: _adapted(path.name, path.read_text("utf-8"), left_out)
        for path in sorted(_RUNTIME.glob("*.py"))
        if path.stem not in left_out
    }
    files["py.typed"] = ""
    digests = {name: _digest(text) for name, text in files.items()}
    mark = {"copied_from": "logctx-lint", "version": __version__, "only": half, "files": digests}
    files[MARK] = json.dumps(mark, indent=1) + "\n"
    return files


def _adapted(name: str, text: str, left_out: set[str]) -> str:
    text = _HINT.sub(lambda match: f"pip install {_PACKAGE_OF_EXTRA[match[1]]}", text)
    if name == "__init__.py" and left_out:
        text = _without(text, left_out)
    return _HEADER.format(version=__version__) + text


def _without(text: str, left_out: set[str]) -> str:
    """The package's own module without the names that come from modules that are left out."""
    gone = set(re.findall(rf'^    "(\w+)": "(?:{"|".join(left_out)})",$', text, re.MULTILINE))
    text = re.sub(
        rf"^    from \.(?:{'|'.join(left_out)}) import (?:\([^)]*\)|.*)\n", "", text, flags=re.M
    )
    entry = "|".join(sorted(gone | left_out))
    text = re.sub(rf'^    "(?:{entry})"(?:: "\w+")?,\n', "", text, flags=re.M)
    return text.replace("if TYPE_CHECKING:\n\n", "if TYPE_CHECKING:\n    pass\n\n")


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def write(folder: Path, half: str | None = None) -> list[Path]:
    """Write the copy, over one that is there; returns the files. Refuses any other folder."""
    try:
        return _write(folder, half)
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}") from error


def _write(folder: Path, half: str | None) -> list[Path]:
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not _mark(folder))):
        raise UserError(f"{folder} is there already, and is not a copy of the runtime")
    files = copied_files(half)
    folder.mkdir(parents=True, exist_ok=True)
    for name in _mark(folder).get("files", {}):
        if name not in files:  # of the other half, or of an older version
            (folder / Path(name).name).unlink(missing_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return [folder / name for name in files]


def compare(folder: Path) -> Comparison:
    """How the copy differs from what this version would write there."""
    mark = _mark(folder)
    if not mark:
        raise UserError(f"{folder} is not a copy of the runtime: it has no {MARK}")
    written: Mapping[str, str] = mark["files"]
    missing = tuple(name for name in written if not (folder / name).is_file())
    changed = tuple(
        name
        for name, digest in written.items()
        if name not in missing and _digest((folder / name).read_text("utf-8")) != digest
    )
    now = json.loads(copied_files(mark.get("only"))[MARK])
    is_behind = now["files"] != written
    return Comparison(str(mark["version"]) if is_behind else None, changed, missing)


def half_of(folder: Path) -> str | None:
    """The half that a copy was made of; None for both, and where there is no copy."""
    half: str | None = _mark(folder).get("only")
    return half


def _mark(folder: Path) -> dict[str, Any]:
    try:
        mark = json.loads((folder / MARK).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return mark if isinstance(mark, dict) and isinstance(mark.get("files"), dict) else {}
