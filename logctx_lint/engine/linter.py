"""Checks one file under settings: selection, suppression, errors as LCX000."""

from __future__ import annotations

import ast
import logging
import warnings
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from logctx_lint.config.codes import NOT_ANALYSED, UNUSED_NOQA
from logctx_lint.config.settings import Settings
from logctx_lint.findings import Finding, in_profile, not_analysed
from logctx_lint.syntax.source import Source
from logctx_lint.time_limit import TooSlow, time_limit

if TYPE_CHECKING:
    from logctx_lint.engine.run_cache import Checked, Reported
    from logctx_lint.suppression.noqa import Selection

_LOG = logging.getLogger(__name__)


class Checker(Protocol):
    """What this module needs of the engine."""

    def check(
        self, source: Source, codes: Collection[str], tree: ast.Module | None = None
    ) -> list[Finding]: ...


class Engine(Checker, Protocol):
    """One that remembers whole runs, too; see `engine.Engine`."""

    def expect(self, paths: Iterable[Path]) -> None: ...
    def recall(self, paths: Sequence[Path]) -> dict[Path, Reported]: ...
    def keep(self, paths: Sequence[Path], checked: Iterable[Checked]) -> None: ...
    def key(self, path: Path) -> bytes: ...


class Linter:
    """The engine with a run's settings around it: selection, suppression, no exceptions."""

    def __init__(self, engine: Engine, settings: Settings, codes: Collection[str]) -> None:
        """`codes` are those that the run may report; settings may leave out some of them."""
        self._engine = engine
        self.expect = engine.expect
        self.recall = engine.recall
        self.keep = engine.keep
        self.key = engine.key
        self._limit = settings.time_limit
        self._settings = settings
        self._codes = frozenset(codes) | {NOT_ANALYSED, UNUSED_NOQA}

    @cached_property
    def _selection(self) -> Selection:
        # flake8, which decides, is not needed where the last run's report still holds.
        from logctx_lint.suppression.noqa import Selection

        return Selection(self._settings)

    def check(self, source: Source) -> list[Finding]:
        """The findings to report in one file, sorted by position."""
        from logctx_lint.suppression.noqa import with_noqa

        codes = self._selection.codes(source.path, self._codes)
        findings = checked(self._engine, source, codes, limit=self._limit)
        # A comment that silences a finding of another profile is not unused.
        reported = with_noqa(source, [each for each in findings if each.code in codes], codes)
        return in_profile(reported, self._settings.profile)

    def learn(self, source: Source) -> None:
        """Take a text for what its file says, for the files that ask about it."""
        # Without a rule to check the engine does no more than that.
        checked(self._engine, source, frozenset())

    def unreadable(self, path: Path, reason: str, line: int = 1) -> list[Finding]:
        """What to report for a file that could not even be decoded."""
        if not self._selection.codes(path, {NOT_ANALYSED}):
            return []
        return [not_analysed(path, reason, line)]


def checked(
    engine: Checker,
    source: Source,
    codes: Collection[str],
    tree: ast.Module | None = None,
    *,
    limit: float = 0,
) -> list[Finding]:
    """All findings in one file. An exception becomes LCX000, so that a run always goes on.

    So does a file that takes more than `limit` seconds of CPU time, if there is a limit.
    """
    try:
        with time_limit(limit), warnings.catch_warnings():
            # Python's, about the code of files that nobody has named.
            warnings.simplefilter("ignore")
            return engine.check(source, codes, tree)
    except TooSlow:
        reason = f"it takes more than {limit} seconds (setting time-limit)"
        return [not_analysed(source.path, reason)]
    except Exception as error:
        _LOG.info("%s: the engine failed", source.path, exc_info=True)
        return [not_analysed(source.path, f"an error inside logctx-lint: {_described(error)}")]


def _described(error: Exception) -> str:
    name = type(error).__name__
    try:
        return " ".join(f"{name}: {error}".split())
    except Exception:
        # It quotes what cannot be shown, such as a very deep tree.
        return name
