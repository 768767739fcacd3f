"""The cache on disk: plain data, one small file for each content.

The name of an entry is the hash of the content it belongs to, so that the same content gives the
same bytes on every machine, and two runs at once at worst write the same file twice. An entry
that cannot be used (cut short by a kill, tampered with, of another version) is rebuilt.

Facts are a pure function of one text, so they never need to be invalidated. What depends on more
is in `logctx_lint.engine.findings_cache`.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

_FORMAT = 2
"""Goes up with every change of the shape of what is kept."""
# Another Python may parse the same text differently.
_VERSION = f"{_FORMAT}-{sys.version_info[0]}.{sys.version_info[1]}".encode()


CACHE_FOLDER = ".logctx_cache"
"""Below the project's root."""
_MARKS = {
    ".gitignore": "# Made by logctx-lint.\n*\n",
    "CACHEDIR.TAG": "Signature: 8a477f597d28d172789f06886806bc55\n# Made by logctx-lint.\n",
}
"""Keep the cache out of version control and out of backups (https://bford.info/cachedir/)."""
_DAY = 24 * 60 * 60
_UNUSED = 14 * _DAY
"""Seconds after which an entry that no run has used is removed."""


def look_after(folder: Path) -> None:
    """Remove, once a day, the entries in a folder that no run has used for long."""
    now = time.time()
    stamp = folder / "looked-after"
    with contextlib.suppress(OSError):
        # What a link leads to is perhaps not in the project.
        if not folder.is_dir() or folder.is_symlink():
            return
        if stamp.exists() and now - stamp.stat().st_mtime < _DAY:
            return
        stamp.touch()
        for inner in folder.glob("*/??"):
            if not (inner.parent.is_symlink() or inner.is_symlink()):
                _remove_unused(inner, now)


def _remove_unused(folder: Path, now: float) -> None:
    for path in folder.iterdir():
        # A killed run may have left an entry half written, under another name.
        longest = _UNUSED if path.suffix == ".json" else _DAY
        with contextlib.suppress(OSError):
            if now - path.stat().st_mtime > longest:
                path.unlink()


def _make(folder: str) -> None:
    """Make the folder of a cache, if it is not there."""
    if os.path.isdir(folder):
        return
    os.makedirs(folder, exist_ok=True)
    for name, text in _MARKS.items():
        with open(os.path.join(folder, name), "x", encoding="ascii") as file:
            file.write(text)


def _touch(file: BinaryIO) -> None:
    """Note that an entry was used, to the day."""
    with contextlib.suppress(OSError):
        if time.time() - os.fstat(file.fileno()).st_mtime > _DAY:
            os.utime(file.name)


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=16, key=_VERSION).hexdigest()


class Entries:
    """One sort of entries: what is kept, by the content that it belongs to.

    Without a folder nothing is remembered.
    """

    def __init__(self, folder: Path | None, sort: str) -> None:
        # The project may stand behind a link; its cache may not.
        self._folder = (
            None
            if folder is None
            else os.path.join(os.path.realpath(folder.parent), folder.name, sort)
        )

    @property
    def remembers(self) -> bool:
        """Whether anything is kept at all."""
        return self._folder is not None

    def load(self, content: bytes) -> bytes | None:
        """What was stored for some content, unless it is damaged."""
        if self._folder is None:
            return None
        entry = self._entry(self._folder, content)
        try:
            with open(entry, "rb") as file:
                data = file.read()
                _touch(file)
        except OSError:
            return None
        checksum, body = data[:32], data[33:]
        return body if checksum == _checksum(entry, body) else None

    def store(self, content: bytes, body: bytes) -> None:
        """Best effort: a cache that cannot be written is no reason to stop."""
        if self._folder is None:
            return
        entry = self._entry(self._folder, content)
        folder = os.path.dirname(entry)
        if os.path.realpath(folder) != folder:
            return  # A link, perhaps out of the project.
        with contextlib.suppress(OSError):
            _make(os.path.dirname(self._folder))
            os.makedirs(folder, exist_ok=True)
            import tempfile  # Not needed where nothing has changed.

            handle, name = tempfile.mkstemp(dir=folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(_checksum(entry, body) + b"\n" + body)
                os.replace(name, entry)
            except OSError:
                os.unlink(name)
                raise

    @staticmethod
    def _entry(folder: str, content: bytes) -> str:
        name = _digest(content)
        return os.path.join(folder, name[:2], f"{name[2:]}.json")


def _checksum(entry: str, body: bytes) -> bytes:
    """Of what an entry says and of which content it says it."""
    return _digest(os.path.basename(entry).encode() + body).encode()
