"""The flake8 plugin: options to settings, one file to its findings.

flake8 loads this module and calls it for every file, whatever `--select` says. When no LCX code
is selected it does nothing, and the engine is not imported.
"""

from __future__ import annotations

import argparse
import ast
import multiprocessing
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from flake8.exceptions import ExecutionError
from flake8.options.manager import OptionManager
from flake8.utils import normalize_path

from logctx_lint.config import loading
from logctx_lint.config.codes import NOT_ANALYSED, active_codes
from logctx_lint.config.settings import Settings, SettingsError, one_line
from logctx_lint.config.unresolved_names import unresolved_names
from logctx_lint.engine.linter import checked
from logctx_lint.findings import Finding, in_profile
from logctx_lint.suppression import noqa
from logctx_lint.syntax.source import Source

if TYPE_CHECKING:
    from logctx_lint.engine.engine import Engine


class Run:
    """What every file of one flake8 process shares. The engine is made for the first file."""

    def __init__(self, settings: Settings, selected: Collection[str]) -> None:
        self._settings = settings
        # flake8 has its own `select` and `ignore`.
        self._selection = noqa.Selection(replace(settings, select=(), ignore=()))
        self._selected = selected

    @cached_property
    def _engine(self) -> Engine:
        from logctx_lint.engine.engine import Engine

        return Engine(self._settings)

    @cached_property
    def _codes(self) -> frozenset[str]:
        return (active_codes(self._settings.enable) | {NOT_ANALYSED}).intersection(self._selected)

    def findings(self, source: Source, tree: ast.Module) -> list[Finding]:
        codes = self._selection.codes(source.path, self._selected)
        found = checked(self, source, codes, tree, limit=self._settings.time_limit)
        return in_profile(found, self._settings.profile)

    def check(
        self, source: Source, codes: Collection[str], tree: ast.Module | None = None
    ) -> list[Finding]:
        """The engine's, so that even a failing import of it stops no run."""
        return self._engine.check(source, self._codes.intersection(codes), tree)


class Plugin:
    """flake8 makes one of these for each file."""

    # Set before flake8 forks its workers, or again in each of those that it spawns.
    active: ClassVar[Run | None] = None

    def __init__(self, tree: ast.Module, filename: str, lines: Sequence[str]) -> None:
        self._tree = tree
        self._filename = filename
        self._lines = lines

    @staticmethod
    def add_options(manager: OptionManager) -> None:
        loading.add_flake8_options(manager.add_option)

    @classmethod
    def parse_options(cls, options: argparse.Namespace) -> None:
        """Read the settings; raises flake8's ExecutionError, which it prints, when they are bad."""
        cls.active = None
        selected = noqa.selected(options)
        if not selected:
            return
        try:
            loaded = loading.load_in_flake8(Path.cwd(), options)
        except SettingsError as error:
            raise ExecutionError(one_line(error)) from error
        # Workers that are not forked come here, too.
        if multiprocessing.parent_process() is None:
            for note in _notes(loaded, options, selected):
                print(f"logctx-lint: note: {note}", file=sys.stderr)
        cls.active = Run(loaded.settings, selected)

    def run(self) -> Iterator[tuple[int, int, str, type[Plugin]]]:
        """Line from 1, column from 0, text that begins with the code."""
        if self.active is None:
            return
        source = Source(Path(self._filename), "".join(self._lines))
        for found in self.active.findings(source, self._tree):
            yield (
                found.span.line,
                found.span.column,
                f"{found.code} {found.message}",
                type(self),
            )


def _notes(
    loaded: loading.Loaded, options: argparse.Namespace, selected: Collection[str]
) -> Iterator[str]:
    """What was said in settings and is of no effect here."""
    yield from loaded.notes
    settings = loaded.settings
    yield from unresolved_names(settings)
    kept = noqa.Selection(replace(settings, per_file_ignores={})).codes(Path(), selected)
    if left := sorted(active_codes(settings.enable) & set(selected) - kept):
        said = " and ".join(name for name in ("select", "ignore") if getattr(settings, name))
        yield (
            f"{said}: flake8 goes by its own, and reports {_listed(left)} as well;"
            " say it there, too"
        )
    if said_only_to_us := _not_excluded(settings, options):
        yield (
            f"exclude: flake8 goes by its own, and looks at {_listed(said_only_to_us)} as well;"
            " say it there, too"
        )
    if settings.baseline:
        yield (
            "baseline: flake8 reports known findings, too; `logctx-lint check` reports"
            " those that are new"
        )


def _not_excluded(settings: Settings, options: argparse.Namespace) -> list[str]:
    """What our own settings exclude, and flake8's do not."""
    of_flake8 = {*options.exclude, *options.extend_exclude}
    root = str(settings.root)
    return [each for each in settings.exclude if normalize_path(each, root) not in of_flake8]


def _listed(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
