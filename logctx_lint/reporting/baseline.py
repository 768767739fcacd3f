"""Known findings, which are not reported again. Their list can only become shorter.

A finding is known by its fingerprint (`logctx_lint.reporting.fingerprints`), which moving lines
does not change. An entry that is no longer found is stale; until it is removed, a run fails, so
that what was cured stays cured.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from logctx_lint import __version__
from logctx_lint.config.codes import CODES, NOT_ANALYSED
from logctx_lint.config.settings import Settings
from logctx_lint.errors import UserError
from logctx_lint.findings import Finding
from logctx_lint.reporting.fingerprints import fingerprints, relative
from logctx_lint.reporting.report import Report
from logctx_lint.syntax.source import Unreadable, read_bytes

DEFAULT_NAME = "logctx-baseline.json"
_FORMAT = 1


class BaselineError(UserError):
    """The file cannot be used; the message is one line and says why."""


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One known finding. What a person reads stands beside the fingerprint, which decides."""

    file: str
    """Relative to the project's root, with slashes."""
    code: str
    function: str
    fingerprint: str

    def __str__(self) -> str:
        return f"{self.file}: {self.code}{f' in {self.function}' if self.function else ''}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run held against a baseline."""

    new: Sequence[Finding] = ()
    """What the baseline does not know."""
    known: Sequence[Entry] = ()
    """The entries that still hold, or that this run could not judge."""
    stale: Sequence[Entry] = field(default=())
    """The entries that are no longer found."""


def path_of(settings: Settings) -> Path:
    """The file that the settings name, or the usual one."""
    return settings.root / (settings.baseline or DEFAULT_NAME)


@dataclass(frozen=True, slots=True)
class Baseline:
    """A file's entries, and what wrote it."""

    entries: Sequence[Entry]
    rules: frozenset[str]
    """The codes that there were when it was written."""
    tool: str = ""
    """The version of logctx-lint that wrote it."""

    def could_not_know(self, finding: Finding) -> bool:
        """Whether a finding is one of a rule or of a version that came after the file."""
        return finding.code not in self.rules or self.tool != __version__


def read(path: Path) -> list[Entry]:
    """The entries of a file; raises BaselineError."""
    return list(load(path).entries)


def load(path: Path) -> Baseline:
    """A file; raises BaselineError."""
    try:
        document = json.loads(read_bytes(path))
        if document["version"] != _FORMAT:
            raise BaselineError(f"{path}: from another version of logctx-lint; write it anew")
        entries = [_entry(**each) for each in document["findings"]]
        # Older files do not name rules.
        rules = document.get("rules", [each.code for each in entries])
        return Baseline(entries, frozenset(map(str, rules)), str(document.get("tool", "")))
    except Unreadable as error:
        missing = isinstance(error.__cause__, FileNotFoundError)
        hint = 'no such file; "logctx-lint baseline write" makes it'
        raise BaselineError(f"{path}: {hint if missing else error}") from error
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise BaselineError(f"{path}: not a baseline of logctx-lint") from error


def _entry(**texts: object) -> Entry:
    """Raises TypeError for what is none."""
    if not all(isinstance(text, str) for text in texts.values()):
        raise TypeError("a text is no string")
    return Entry(**texts)  # type: ignore[arg-type]


def write(path: Path, entries: Iterable[Entry], root: Path) -> None:
    """Write a file, one entry on each line, for diffs that can be read; raises BaselineError.

    Nothing is written outside the project, whatever its settings or links say.
    """
    if not path.resolve().is_relative_to(root.resolve()):
        raise BaselineError(f"{path}: lies outside the project {root}")
    lines = ",\n".join(f"    {json.dumps(asdict(each))}" for each in sorted(entries))
    listed = f"[\n{lines}\n  ]" if lines else "[]"
    try:
        path.write_text(
            f'{{\n  "version": {_FORMAT},\n  "tool": "{__version__}",\n'
            f'  "rules": {json.dumps(sorted(CODES))},\n  "findings": {listed}\n}}\n',
            encoding="utf-8",
        )
    except OSError as error:
        raise BaselineError(f"{path}: cannot be written: {error.strerror}") from error


def entries_of(report: Report) -> list[Entry]:
    """An entry for each finding of a run, in the same order."""
    named = fingerprints(report.findings, report.sources, report.root)
    return [
        Entry(relative(finding.path, report.root), finding.code, finding.function, fingerprint)
        for finding, fingerprint in zip(report.findings, named, strict=True)
    ]


def compare(
    entries: Iterable[Entry], report: Report, judged: Callable[[Entry], bool]
) -> Comparison:
    """Hold a run against known entries, of which it can judge some."""
    found = entries_of(report)
    fingerprinted = {each.fingerprint for each in found}
    known: list[Entry] = []
    stale: list[Entry] = []
    for entry in entries:
        holds = entry.fingerprint in fingerprinted or not judged(entry)
        (known if holds else stale).append(entry)
    listed = {each.fingerprint for each in known}
    new = [
        finding
        for finding, entry in zip(report.findings, found, strict=True)
        if entry.fingerprint not in listed
    ]
    return Comparison(new, known, stale)


def judged_by(
    settings: Settings, report: Report, checked: Collection[Path]
) -> Callable[[Entry], bool]:
    """Which entries can a run judge: of files that it checked, or that are gone, and of its rules.

    In a file that could not be analysed nothing is judged.
    """
    files = {relative(path, settings.root) for path in checked}
    files -= {
        relative(each.path, settings.root) for each in report.findings if each.code == NOT_ANALYSED
    }
    # flake8, which decides, takes longer to import than most runs that need no baseline.
    from logctx_lint.suppression.noqa import Selection

    selection = Selection(settings)

    def judged(entry: Entry) -> bool:
        path = settings.root / entry.file
        there = entry.file in files or not os.path.exists(path)
        return there and bool(selection.codes(path, {entry.code}))

    return judged
