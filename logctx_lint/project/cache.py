"""Facts kept between runs: plain data, one small file for each content.

The name of an entry is the hash of the text it describes, so that nothing ever needs to be
invalidated, the same content gives the same bytes on every machine, and two runs at once
at worst write the same file twice. An entry that cannot be used (cut short by a kill,
tampered with, of another version) is rebuilt.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from hashlib import blake2b
from pathlib import Path

from logctx_lint.project import facts
from logctx_lint.project.facts import ModuleFacts

# Another Python may parse the same text differently.
_VERSION = f"{facts.FORMAT}-{sys.version_info[0]}.{sys.version_info[1]}".encode()


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=16, key=_VERSION).hexdigest()


def _checksum(entry: Path, body: bytes) -> bytes:
    """Of what an entry says and of which text it says it."""
    return _digest(entry.name.encode() + body).encode()


class FactsCache:
    """Maps a text to its facts. Without a folder it remembers nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def load(self, text: str) -> ModuleFacts | None:
        if self._folder is None:
            return None
        try:
            entry = self._entry(self._folder, text)
            data = entry.read_bytes()
            checksum, body = data[:32], data[33:]
            if checksum != _checksum(entry, body):
                return None
            return facts.from_data(json.loads(body))
        except (OSError, ValueError, TypeError):
            return None

    def store(self, text: str, module_facts: ModuleFacts) -> None:
        """Best effort: a cache that cannot be written is no reason to stop."""
        if self._folder is None:
            return
        body = json.dumps(module_facts, separators=(",", ":")).encode()
        entry = self._entry(self._folder, text)
        with contextlib.suppress(OSError):
            entry.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=entry.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(_checksum(entry, body) + b"\n" + body)
                os.replace(name, entry)
            except OSError:
                os.unlink(name)
                raise

    @staticmethod
    def _entry(folder: Path, text: str) -> Path:
        name = _digest(text.encode("utf-8", "surrogatepass"))
        return folder / "facts" / name[:2] / f"{name[2:]}.json"
