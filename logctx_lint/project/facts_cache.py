"""The cache of facts between runs, by the text of each file."""

from __future__ import annotations

import json
from pathlib import Path

from logctx_lint.incremental.store import Entries
from logctx_lint.project import facts
from logctx_lint.project.facts import ModuleFacts
from logctx_lint.project.tree_cache import TreeCache


class FactsCache:
    """Maps a text to its facts."""

    def __init__(self, folder: Path | None) -> None:
        self._entries = Entries(folder, "facts")
        self.tree_cache = TreeCache()
        """What facts were taken from, of files that are to be checked."""
        self.indexes = Entries(folder, "index")
        """Of what whole packages mention; see `index`."""
        self.trees = Entries(folder, "trees")
        """Of what the texts in folders mention; see `text_index`."""

    def load(self, text: str) -> ModuleFacts | None:
        body = self._entries.load(text.encode("utf-8", "surrogatepass"))
        if body is None:
            return None
        try:
            return facts.from_data(json.loads(body))
        except (ValueError, TypeError, RecursionError):
            return None

    def store(self, text: str, module_facts: ModuleFacts) -> None:
        if not self._entries.remembers:
            return
        body = json.dumps(module_facts, separators=(",", ":")).encode()
        self._entries.store(text.encode("utf-8", "surrogatepass"), body)
