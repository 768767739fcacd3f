"""Findings kept between runs, each file's with what they came from.

They hold for as long as every part of another file or folder that was looked at for them
(`incremental.dependencies`) still says the same. An entry lists those places with the digest of
all that each said, which is quickly compared, and behind that, for when one has changed, the parts
that matter.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import astuple, fields
from pathlib import Path

from logctx_lint.config.codes import CODES
from logctx_lint.config.settings import Settings
from logctx_lint.engine.tool_version import program
from logctx_lint.findings import Applicability, Edit, Finding, Fix, Profile, Related, Span
from logctx_lint.incremental.dependencies import Part
from logctx_lint.incremental.store import Entries
from logctx_lint.project.files import Places
from logctx_lint.project.modules import Module
from logctx_lint.project.paths import relative
from logctx_lint.syntax.source import Source

_NOT_FOR_FINDINGS = {
    "root", "select", "ignore", "per_file_ignores", "exclude", "baseline", "time_limit", "profile",
}  # fmt: skip
"""Settings that choose among findings."""

Parts = tuple[list[str], str]
"""Names of parts, and the digest of what they say."""


class ResultsCache:
    """Maps a file to its findings, as long as these hold."""

    def __init__(self, folder: Path | None, settings: Settings, places: Places) -> None:
        self._folder = folder
        self._entries = Entries(folder, "results")
        self._places = places
        chosen = {
            field.name: getattr(settings, field.name)
            for field in fields(settings)
            if field.name not in _NOT_FOR_FINDINGS
        }
        # What the setting led to, wherever the project lies.
        chosen["environment"] = places.installed
        self._run = f"{chosen!r}"

    def key(self, module: Module, source: Source, codes: Collection[str]) -> bytes:
        """All that findings depend on, other files aside."""
        if self._folder is None:
            return b""
        where = [module.file.name, module.name]
        key = [program(self._folder), self._run, where, sorted(codes), source.digest]
        return json.dumps(key).encode()

    def load(self, key: bytes, path: Path) -> list[Finding] | None:
        """What was found when the file was checked last, if that still holds."""
        body = self._entries.load(key)
        if body is None:
            return None
        first, _, second = body.partition(b"\n")
        try:
            findings, places = json.loads(first)
            changed = [
                name for name, digest in places.items() if self._places.named(name).digest != digest
            ]
            if changed:
                parts = json.loads(second)
                for name in changed:
                    names, digest = parts[name]
                    if self._places.named(name).digest_of_parts(tuple(names)) != digest:
                        return None
            return [from_data(data, path) for data in findings]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None

    def came_from(self, key: bytes) -> tuple[Mapping[str, str], Mapping[str, Parts]] | None:
        """The digests of all places that findings came from, and the parts of each."""
        first, _, second = (self._entries.load(key) or b"").partition(b"\n")
        try:
            return json.loads(first)[1], json.loads(second)
        except (ValueError, TypeError, LookupError, RecursionError):
            return None

    def store(self, key: bytes, findings: Collection[Finding], used: Iterable[Part]) -> None:
        """Keep what was found, and the parts that were looked at for it."""
        if self._folder is None:
            return
        parts: dict[str, list[Part]] = {}
        for part in used:
            parts.setdefault(part.place.name, []).append(part)
        places = {}
        details: dict[str, Parts] = {}
        for name, group in sorted(parts.items()):
            place = group[0].place
            names = sorted(part.name for part in group)
            places[name] = place.digest
            details[name] = names, place.digest_of_parts(tuple(names))
        data = [[to_data(finding) for finding in findings], places]
        lines = [json.dumps(each, separators=(",", ":")) for each in (data, details)]
        self._entries.store(key, "\n".join(lines).encode())


def to_data(finding: Finding) -> list[object]:
    """A finding as plain data, without its path."""
    fixes = [
        [fix.title, fix.applicability.value, [[astuple(e.span), e.text] for e in fix.edits]]
        for fix in finding.fixes
    ]
    folder, profile = finding.path.parent, finding.profile.value
    # The project may be somewhere else the next time.
    related = [[relative(r.path, folder), r.line, r.message] for r in finding.related]
    head = [finding.code, finding.message, astuple(finding.span), finding.function]
    return [*head, fixes, profile, related]


def from_data(data: list[object], path: Path) -> Finding:
    """The finding of some data, which may be anything; raises TypeError or ValueError."""
    code, message, span, function, fixes, profile, related = data
    if not (isinstance(code, str) and isinstance(message, str) and isinstance(function, str)):
        raise TypeError("a text is no string")
    if code not in CODES:
        raise ValueError("an unknown code")
    if not isinstance(fixes, list) or not isinstance(related, list):
        raise TypeError("fixes or related places are no list")
    return Finding(
        code,
        message,
        path,
        _span(span),
        function,
        tuple(map(_fix, fixes)),
        Profile(profile),
        tuple(_related(each, path) for each in related),
    )


def _related(data: list[object], path: Path) -> Related:
    where, line, message = data
    if not (isinstance(where, str) and isinstance(line, int) and isinstance(message, str)):
        raise TypeError("a related place is something else")
    return Related(Path(os.path.normpath(path.parent / where)), line, message)


def _fix(data: list[object]) -> Fix:
    title, applicability, edits = data
    if not isinstance(title, str) or not isinstance(edits, list):
        raise TypeError("a fix is something else")
    return Fix(
        title,
        Applicability(applicability),
        tuple(Edit(_span(span), str(text)) for span, text in edits),
    )


def _span(data: object) -> Span:
    if not isinstance(data, list) or not all(isinstance(number, int) for number in data):
        raise TypeError("a span is something else")
    span = Span(*data)
    if not 1 <= span.line <= span.end_line or min(span.column, span.end_column) < 0:
        raise ValueError("a span outside of any text")
    return span
