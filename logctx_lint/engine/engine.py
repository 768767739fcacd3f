"""Checks one file: cached findings where they still hold, else facts are made and rules run."""

from __future__ import annotations

import ast
import gc
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from logctx_lint.config.environment import import_folders
from logctx_lint.config.role_lookup import Vocabulary
from logctx_lint.config.settings import CancellationScope, Settings
from logctx_lint.engine import garbage
from logctx_lint.engine.findings_cache import ResultsCache
from logctx_lint.engine.run_cache import Checked, Reported, RunsCache
from logctx_lint.findings import Finding, not_analysed
from logctx_lint.incremental.store import CACHE_FOLDER, look_after
from logctx_lint.project.facts_cache import FactsCache
from logctx_lint.project.frameworks import TraitsDetector
from logctx_lint.project.modules import Function, Module, Modules
from logctx_lint.syntax.source import Source, Unreadable
from logctx_lint.time_limit import TooSlow

if TYPE_CHECKING:
    from logctx_lint.analysis.units import File
    from logctx_lint.callgraph.cancellation_safety import Auditor
    from logctx_lint.callgraph.role_suggestions import Suggestion
    from logctx_lint.inference.resolver import Resolver
    from logctx_lint.inference.summaries import Summaries

_SET_ASIDE_EVERY = 16
"""Files."""


class Engine:
    """Checks files one by one; keeps the project, which they share, between them."""

    def __init__(self, settings: Settings, *, use_cache: bool = True, jobs: int = 1) -> None:
        """`jobs` processes read a large package; see `index_workers`."""
        self._settings = settings
        folder = settings.root / CACHE_FOLDER if use_cache else None
        if folder is not None:
            look_after(folder)
        hinted = [name.rpartition(".")[0] for name in settings.hints.values()]
        facts = FactsCache(folder)
        self._tree_cache = facts.tree_cache
        self._is_remembering = folder is not None
        self._modules = Modules(
            _source_roots(settings),
            facts,
            settings.root,
            filter(None, hinted),
            import_folders(settings.environment, settings.root),
            settings.no_stubs_of,
            is_remembering=self._is_remembering,
        )
        if jobs > 1:
            from logctx_lint.project.index_workers import IndexWorkers

            self._modules.places.workers = IndexWorkers(folder, jobs)
        self._results = ResultsCache(folder, settings, self._modules.places)
        self._runs = RunsCache(folder, settings, self._modules, self._results)
        self._keys: dict[Path, bytes] = {}
        self._traits = TraitsDetector(settings, self._modules)
        # An editor's process has engines by the thousand, one after the other.
        gc.unfreeze()
        self._checked = 0
        self._indexes = 0
        self._auditors: dict[Hashable, Auditor] = {}

    def check(
        self, source: Source, codes: Collection[str], tree: ast.Module | None = None
    ) -> list[Finding]:
        """All findings of the rules `codes` in one file, sorted by position.

        What could not be analysed gives LCX000. Suppression is not applied.
        """
        module = self._learn(source)
        self._keys.pop(source.path, None)
        if not codes:
            return []
        try:
            return self._checked_module(module, source, codes, tree)
        finally:
            self._tree_cache.release(str(module.path))

    def _checked_module(
        self, module: Module, source: Source, codes: Collection[str], tree: ast.Module | None
    ) -> list[Finding]:
        key = self._results.key(module, source, codes)
        known = self._results.load(key, source.path)
        if known is not None:
            self._keys[source.path] = key
            return known
        trace = self._modules.trace
        trace.used = []
        try:
            with garbage.collection_off():
                found = self._found(module, tree, codes)
        except Unreadable as error:
            found = [not_analysed(source.path, str(error), error.line)]
        except TooSlow:
            # Stopped in the middle of a question, whose answer is half made.
            self._forget()
            raise
        findings = sorted(found, key=lambda each: (each.span, each.code))
        if self._is_remembering:
            parts = [part for part in trace.parts() if part.place is not module.file]
            self._results.store(key, findings, parts)
        self._keys[source.path] = key
        self._set_aside()
        return findings

    @property
    def questions(self) -> int:
        """How many questions the resolver has computed an answer to."""
        return self._resolver.memo.computed

    def key(self, path: Path) -> bytes:
        """The key that the findings of a file are kept by; empty where they are not."""
        return self._keys.get(path, b"")

    def expect(self, paths: Iterable[Path]) -> None:
        """Some files are to be checked soon: their trees are worth keeping until then."""
        self._tree_cache.wait_for(str(path.absolute()) for path in paths)

    def recall(self, paths: Sequence[Path]) -> dict[Path, Reported]:
        """What was reported for some files in an earlier run, where it still holds."""
        return self._runs.recall(paths)

    def keep(self, paths: Sequence[Path], checked: Iterable[Checked]) -> None:
        """Keep what is reported for the files of a run, some of which had to be checked."""
        self._runs.keep(paths, checked)

    def _found(
        self, module: Module, tree: ast.Module | None, codes: Collection[str]
    ) -> list[Finding]:
        """By a function of its own, so that trees are gone when garbage is collected again."""
        # Rules take longer to import than a run in which nothing has changed.
        from logctx_lint.engine.rule_runner import check_file

        tree = tree or module.file.tree or module.source.parse()
        module.file.learn(tree)
        return check_file(self._file(module, tree, self._settings), codes)

    def _learn(self, source: Source) -> Module:
        """The module of a text; answers that came from an older text of it are forgotten."""
        before = self._modules.known(source.path)
        module = self._modules.of_source(source)
        if before not in (None, module):
            self._forget()
        return module

    def _forget(self) -> None:
        self.__dict__.pop("_resolver", None)
        self.__dict__.pop("_summaries", None)
        self._auditors.clear()

    def _file(self, module: Module, tree: ast.Module | None, settings: Settings) -> File:
        from logctx_lint.analysis.units import File

        path = module.path
        return File(
            tree,
            module,
            self._resolver,
            self._vocabulary,
            self._summaries,
            self._traits.of_file(module.source),
            settings,
            lambda: self.auditor(path),
        )

    def auditor(self, path: Path) -> Auditor:
        """Who judges the functions of the package that a file is in."""
        from logctx_lint.callgraph.cancellation_safety import Auditor
        from logctx_lint.callgraph.graph import CallGraph

        folders = [self._settings.root / folder for folder in self._settings.source_roots]
        mentions = self._modules.around(path, folders)
        if mentions.key not in self._auditors:
            graph = CallGraph(self._resolver, self._vocabulary, mentions)
            self._auditors[mentions.key] = Auditor(graph, self._unsafe)
        return self._auditors[mentions.key]

    def functions(self, source: Source) -> dict[str, Function]:
        """The functions and methods of a file, by their names in it."""
        from logctx_lint.callgraph.class_hierarchy import functions

        module = self._learn(source)
        return {each.qualified_name[len(module.name) + 1 :]: each for each in functions(module)}

    def role_suggestions(self, source: Source) -> list[Suggestion]:
        """The roles that functions of a file seem to play."""
        from logctx_lint.callgraph.role_suggestions import suggestions

        return [
            found
            for function in self.functions(source).values()
            for found in suggestions(function, self._resolver, self._vocabulary)
        ]

    def _unsafe(self, function: Function) -> list[Finding]:
        """What makes it unsafe to cancel the functions in one unit of code."""
        from logctx_lint.callgraph.cancellation_safety import CODES
        from logctx_lint.engine.rule_runner import check_function
        from logctx_lint.suppression.noqa import with_noqa

        function.module.note_frameworks()
        settings = replace(self._settings, cancellation_scope=CancellationScope.ALL)
        with garbage.collection_off():
            file = self._file(function.module, None, settings)
            findings = check_function(file, function, CODES)
        # Comments silence findings, and these stand on lines.
        return with_noqa(file.source, findings, CODES) if findings else []

    @cached_property
    def _resolver(self) -> Resolver:
        from logctx_lint.inference.resolver import Resolver

        return Resolver(self._modules, self._settings.hints)

    @cached_property
    def _summaries(self) -> Summaries:
        from logctx_lint.inference.summaries import Summaries

        return Summaries(self._resolver, self._vocabulary)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary(self._settings.vocabulary, self._settings.runtime)

    def _set_aside(self) -> None:
        """Collect garbage, which a run of our own leaves to us, and keep what is known out of it.

        Later collections, of which flake8 runs many, would look at all of that each time.
        """
        self._checked += 1
        before, self._indexes = self._indexes, self._modules.places.indexes
        if self._indexes > before:
            # Nothing of a new index is garbage, and looking through it takes long.
            gc.freeze()
        elif self._checked % _SET_ASIDE_EVERY == 0:
            garbage.set_aside()


def _source_roots(settings: Settings) -> tuple[Path, ...]:
    named = [settings.root / root for root in settings.source_roots]
    return (*named, settings.root / "src", settings.root)
