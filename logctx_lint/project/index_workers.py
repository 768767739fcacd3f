"""Reads the files of a large package in several processes, for its index.

Every file has to be parsed before the first can be checked, and that takes longest.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from logctx_lint import processes
from logctx_lint.project.facts_cache import FactsCache
from logctx_lint.project.files import Learnt, ModuleFile

_FEWEST = 128
"""Files that are read sooner than processes are started."""
_CHUNK = 16


class IndexWorkers:
    """Starts the processes when there is enough for them to do."""

    def __init__(self, cache_folder: Path | None, jobs: int) -> None:
        self._cache_folder = cache_folder
        self._jobs = jobs

    def are_worth_it(self, files: int) -> bool:
        return self._jobs > 1 and files >= _FEWEST and not _is_worker()

    def read(self, paths: Sequence[str]) -> Iterator[Learnt]:
        """What the files say, in their order."""
        with processes.pool(self._jobs, _start, (self._cache_folder,)) as pool:
            yield from pool.imap(_read, paths, _CHUNK)


def _is_worker() -> bool:
    """Whether this is a worker itself, which may start no processes of its own.

    A worker that checks files is forked with all that its parent knows, and meets more packages.
    """
    process = sys.modules.get("multiprocessing.process")
    return process is not None and bool(process.current_process().daemon)


_cache: FactsCache
"""A worker's own."""


def _start(cache_folder: Path | None) -> None:
    global _cache
    gc.disable()
    _cache = FactsCache(cache_folder)


def _read(path: str) -> Learnt:
    file = ModuleFile("", path, is_constant=False, cache=_cache)
    mentions = file.mentions
    _cache.tree_cache.forget_latest()
    return Learnt(file.digest, file.facts, mentions)
