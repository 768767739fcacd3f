"""What an editor asks about the texts that are open in it, saved or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from logctx_lint.config import loading
from logctx_lint.config.settings import Settings
from logctx_lint.engine import runner
from logctx_lint.engine.file_discovery import is_excluded
from logctx_lint.engine.linter import Linter
from logctx_lint.findings import Edit, Finding, Span
from logctx_lint.fixes import apply
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


def check(sources: Iterable[Source], folder: Path) -> Mapping[Path, Checked]:
    """Check open texts, each of which counts for the others as it stands in the editor.

    Settings are those of `folder`, read anew. Raises SettingsError.
    """
    settings = loading.load(folder)
    texts = list(sources)
    linter = _linter(texts, settings)
    return {
        source.path: Checked(source, tuple(_findings(linter, source, settings))) for source in texts
    }


def fix_all(source: Source, others: Iterable[Source], folder: Path) -> list[Edit]:
    """Edits that apply every safe fix in one of the open texts. Raises SettingsError."""
    settings = loading.load(folder)
    linter = _linter([source, *others], settings)
    fixed = apply.fix(source, lambda text: _findings(linter, text, settings))
    return list(_differences(source, fixed.source))


def _linter(texts: Iterable[Source], settings: Settings) -> Linter:
    """A linter that knows the texts. It is made anew: what it learnt of old ones is wrong."""
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
