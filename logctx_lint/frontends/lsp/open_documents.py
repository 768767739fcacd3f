"""What an editor asks about the texts that are open in it, saved or not."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import takewhile
from pathlib import Path

from logctx_lint.config import loading
from logctx_lint.config.settings import Settings
from logctx_lint.engine import runner
from logctx_lint.engine.file_discovery import is_excluded
from logctx_lint.engine.linter import Linter
from logctx_lint.findings import NOT_ANALYSED, Edit, Finding, Span
from logctx_lint.fixes import apply
from logctx_lint.suppression.add_noqa import add_noqa
from logctx_lint.syntax.source import Source


@dataclass(frozen=True, slots=True)
class Checked:
    """A text and what was found in it."""

    source: Source
    findings: tuple[Finding, ...]

    def at(self, line: int, column: int) -> list[Finding]:
        """The findings whose span holds a position; lines from 1, columns from 0."""
        place = (line, column)
        return [
            each
            for each in self.findings
            if (each.span.line, each.span.column) <= place
            and place <= (each.span.end_line, each.span.end_column)
        ]

    def between(self, first: int, last: int) -> list[Finding]:
        """The findings on some lines, both included."""
        return [
            each for each in self.findings if each.span.line <= last and first <= each.span.end_line
        ]


_MOST_CHECKS = 12
"""By one linter: what it has learnt of older texts is in memory until it goes."""


class Session:
    """Checks what is open in an editor, over and over.

    What the linter has learnt of all other files is kept from one keystroke to the next.
    """

    def __init__(self) -> None:
        self._linter: tuple[Settings, frozenset[Path], Linter] | None = None
        self._checks = 0

    def forget(self) -> None:
        """Something but the open texts may have changed."""
        self._linter = None

    def check(self, sources: Iterable[Source], folder: Path) -> Mapping[Path, Checked]:
        """Check open texts, each of which counts for the others as it stands in the editor.

        Settings are those of `folder`, read anew. Raises SettingsError.
        """
        settings = loading.load(folder)
        texts = list(sources)
        linter = self._current(texts, settings)
        return {
            source.path: Checked(source, tuple(_findings(linter, source, settings)))
            for source in texts
        }

    def _current(self, texts: Sequence[Source], settings: Settings) -> Linter:
        paths = frozenset(each.path for each in texts)
        self._checks += 1
        if self._linter and self._linter[:2] == (settings, paths) and self._checks < _MOST_CHECKS:
            linter = self._linter[2]
            for source in texts:
                linter.learn(source)
            return linter
        self._checks = 0
        self._linter = None
        # A run sets aside what it has made, which a process that goes on never gets back.
        gc.unfreeze()
        gc.collect()
        linter = _linter(texts, settings)
        self._linter = (settings, paths, linter)
        return linter


def check(sources: Iterable[Source], folder: Path) -> Mapping[Path, Checked]:
    """Check open texts once, as a session does."""
    return Session().check(sources, folder)


def with_kept(checked: Checked, before: Checked | None) -> Checked:
    """While a text cannot be parsed: the findings of the one before, on the lines that stayed.

    A half-typed line must not make everything else vanish and come back.
    """
    if before is None or not _only_unreadable(checked) or _only_unreadable(before):
        return checked
    old, new = before.source.lines, checked.source.lines
    first = _common(old, new)
    last = _common(old[first:][::-1], new[first:][::-1])
    shift = len(new) - len(old)
    known = [each for each in before.findings if each.code != NOT_ANALYSED]
    kept = [each for each in known if each.span.end_line <= first]
    for each in known:
        if each.span.line > len(old) - last:
            span = replace(
                each.span, line=each.span.line + shift, end_line=each.span.end_line + shift
            )
            # Its edits are for lines that have moved.
            kept.append(replace(each, span=span, fixes=()))
    return Checked(checked.source, (*kept, *checked.findings))


def _only_unreadable(checked: Checked) -> bool:
    return bool(checked.findings) and all(each.code == NOT_ANALYSED for each in checked.findings)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines two texts begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def silence(source: Source, finding: Finding) -> list[Edit]:
    """The edit that puts a `# noqa` comment at a finding; none where it has no place."""
    done = add_noqa(source, [finding])
    return list(_differences(source, done.source)) if done.added else []


def fix_all(source: Source, others: Iterable[Source], folder: Path) -> list[Edit]:
    """Edits that apply every safe fix in one of the open texts. Raises SettingsError."""
    settings = loading.load(folder)
    linter = _linter([source, *others], settings)
    fixed = apply.fix(source, lambda text: _findings(linter, text, settings))
    return list(_differences(source, fixed.source))


def _linter(texts: Iterable[Source], settings: Settings) -> Linter:
    """A new linter that knows the texts."""
    linter = runner.linter(settings, use_cache=True)
    for source in texts:
        linter.learn(source)
    return linter


def _findings(linter: Linter, source: Source, settings: Settings) -> list[Finding]:
    if is_excluded(source.path, settings.exclude, settings.root):
        return []
    return linter.check(source)


def _differences(before: Source, after: Source) -> Iterator[Edit]:
    """Line by line, so that an editor keeps its marks and its cursor."""
    matcher = SequenceMatcher(None, before.lines, after.lines, autojunk=False)
    for kind, first, last, new_first, new_last in matcher.get_opcodes():
        if kind != "equal":
            text = "".join(after.lines[new_first:new_last])
            yield Edit(Span(first + 1, 0, last + 1, 0), text)
