"""The version of this program and of Python, as part of the keys of cache entries."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from importlib.machinery import PathFinder
from pathlib import Path

from logctx_lint.incremental.store import Entries

_FOLDER = os.path.dirname(os.path.dirname(__file__))
_USED = ("libcst", "flake8")
"""What findings depend on besides: what reads concrete syntax, and the reader of `# noqa`."""


@lru_cache
def program(folder: Path | None) -> str:
    """The same for all programs whose answers are the same; `folder` is that of the cache.

    Reading all of our own files takes longer than all else in a run in which nothing has changed.
    So what they are is kept by their times of change, which no two machines have in common.
    """
    installed = [_installed(package) for package in _USED]
    if None in installed:
        return _digest()
    entries = Entries(folder, "program")
    state = repr([*_files(_FOLDER), *installed, sys.version_info]).encode()
    known = entries.load(state)
    if known is None:
        known = _digest().encode()
        entries.store(state, known)
    return known.decode("ascii", "replace")


def _files(folder: str) -> Iterator[tuple[object, ...]]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            if entry.is_dir():
                yield from _files(entry.path)
            elif _is_part(entry.name):
                yield entry.name, *_changed(entry.stat())


def _installed(package: str) -> tuple[int, ...] | None:
    """Of the folder that a package is installed in, which another version of it changes."""
    spec = PathFinder.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    return _changed(os.stat(os.path.dirname(os.path.dirname(spec.origin))))


def _changed(found: os.stat_result) -> tuple[int, ...]:
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _is_part(name: str) -> bool:
    return name.endswith((".py", ".pyi", ".txt"))


def _digest() -> str:
    from importlib.metadata import version

    found = blake2b(digest_size=16)
    folder = Path(_FOLDER)
    for path in sorted(folder.rglob("*.*")):
        if _is_part(path.name):
            found.update(path.relative_to(folder).as_posix().encode())
            found.update(path.read_bytes())
    versions = [version(package) for package in _USED]
    found.update(f"{versions} {sys.version_info[:3]}".encode())
    return found.hexdigest()
