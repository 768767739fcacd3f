"""Running the real engine over fixtures and over the examples in rules' documentation."""

from __future__ import annotations

import io
import re
import tokenize
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from logctx_lint.config import loading
from logctx_lint.config.codes import NOT_ANALYSED, active_codes
from logctx_lint.engine.engine import Engine
from logctx_lint.findings import Finding
from logctx_lint.syntax.source import Source

FIXTURES = Path(__file__).parents[1] / "fixtures"

_MARK = r"LCX\d{3}: \d+(?: recommended| strict)?"
_EXPECTED = re.compile(rf"# ({_MARK}(?:, {_MARK})*)$")
_RUNTIME = "background-starter:logctx_lint.runtime.run_in_background"
_SETTINGS = re.compile(r"# settings: (.+)")


def fixture_files() -> list[Path]:
    """Every file to lint: `*.fixed.py` and `*.safe.py` beside them are what fixing them gives."""
    return [path for path in sorted(FIXTURES.rglob("*.py")) if not _is_golden(path)]


def golden_files() -> list[Path]:
    return [path for path in sorted(FIXTURES.rglob("*.py")) if _is_golden(path)]


def _is_golden(path: Path) -> bool:
    return path.name.endswith((".fixed.py", ".safe.py"))


def rule_folder(path: Path) -> Path:
    """The folder that is the root of a fixture's project: `lcxNNN`, or `seeds/DOCUMENT`."""
    parts = path.relative_to(FIXTURES).parts
    return FIXTURES.joinpath(*parts[: 2 if parts[0] == "seeds" else 1])


def findings(source: Source, root: Path, enabled: str = "") -> list[Finding]:
    """What all rules find that are on; settings are those of the text's first line.

    An opt-in rule is on in the folder of its own fixtures, and where it is `enabled`.
    """
    codes = active_codes(())
    on = codes | {NOT_ANALYSED, enabled or root.name.upper()}
    return _engine(root, _settings_line(source.text)).check(source, on)


@dataclass(frozen=True, order=True)
class Mark:
    """A finding that a comment promises, and its profile where the comment names one."""

    line: int
    column: int
    code: str
    profile: str = ""

    def of(self, found: Finding) -> Mark:
        """The mark that would promise `found` as exactly as this one does."""
        profile = self.profile and found.profile.value
        return Mark(found.span.line, found.span.column + 1, found.code, profile)


def expected(source: Source) -> list[Mark]:
    """The finding that each comment promises at its line, with its column from 1."""
    marks = []
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.COMMENT and (mark := _EXPECTED.search(token.string)):
            for each in mark[1].split(", "):
                code, column, *profile = each.replace(": ", " ").split()
                marks.append(Mark(token.start[0], int(column), code, *profile))
    return sorted(marks)


def _settings_line(text: str) -> str:
    found = _SETTINGS.match(text)
    return found[1].strip() if found else ""


@cache
def _engine(root: Path, settings: str) -> Engine:
    pairs = (each.partition("=") for each in settings.split(", ") if each)
    values = {key: value for key, _, value in pairs}
    if not root.name.startswith("without_runtime"):
        # Fixes may use the reference runtime, but only in projects that know it.
        values.setdefault("vocabulary", _RUNTIME)
    return Engine(loading.from_text(values, root), use_cache=False)
