"""What a rule reports: a finding, with the fixes for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

NOT_ANALYSED = "LCX000"
"""The code of a finding that says why a file was left out."""


class Applicability(str, Enum):
    """Whether a fix may be applied without a person reading it."""

    SAFE = "safe"
    UNSAFE = "unsafe"


class Profile(str, Enum):
    """Whether a careful reviewer would ask for a change here."""

    RECOMMENDED = "recommended"
    """On code that the rules were not written on, at least one in three of its kind is a bug."""
    STRICT = "strict"
    """True, but often meant, or without harm."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of source text: lines from 1, columns from 0, in characters."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace the text of `span` by `text`; an empty span inserts."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """One way to correct a finding. Its edits belong together: all or none."""

    title: str
    applicability: Applicability
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Related:
    """Another place that explains a finding, as where the function that is called is defined."""

    path: Path
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One place that a rule reports. The first fix is the one that `--fix` applies."""

    code: str
    message: str
    path: Path
    span: Span
    function: str = ""
    """Qualified name inside the module, `Class.method`; empty at module level."""
    fixes: tuple[Fix, ...] = ()
    profile: Profile = Profile.RECOMMENDED
    """The least strict profile that reports it."""
    related: tuple[Related, ...] = ()


def in_profile(findings: Iterable[Finding], profile: Profile) -> list[Finding]:
    """The findings that a profile reports: strict reports all."""
    return [each for each in findings if each.profile in (profile, Profile.RECOMMENDED)]


def not_analysed(path: Path, reason: str, line: int = 1) -> Finding:
    """LCX000: says why a file, or a part of one, was left out."""
    return Finding(NOT_ANALYSED, f"not analysed: {reason}", path, Span(line, 0, line, 0))
