"""Findings kept between runs, each file's with what they came from.

They hold for as long as every part of another file or folder that was looked at for them (see
`project.trace`) still says the same. An entry lists those places with the digest of all that each
said, which is quickly compared, and behind that, for when one has changed, the parts that matter.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable
from dataclasses import astuple, fields
from functools import lru_cache
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

from logctx_lint.findings import Applicability, Edit, Finding, Fix, Span
from logctx_lint.project.cache import Entries
from logctx_lint.project.modules import Module
from logctx_lint.project.places import Places
from logctx_lint.project.trace import Part
from logctx_lint.project.traits import Traits
from logctx_lint.settings import Settings
from logctx_lint.source import Source

_NOT_FOR_FINDINGS = {
    "root", "select", "ignore", "per_file_ignores", "exclude", "baseline", "time_limit",
}  # fmt: skip
"""Settings that choose among findings."""


class ResultsCache:
    """Maps a file to its findings, as long as these hold."""

    def __init__(self, folder: Path | None, settings: Settings, places: Places) -> None:
        self._entries = Entries(folder, "results")
        self._is_on = folder is not None
        self._places = places
        chosen = {
            field.name: getattr(settings, field.name)
            for field in fields(settings)
            if field.name not in _NOT_FOR_FINDINGS
        }
        self._run = f"{chosen!r}"

    def key(self, module: Module, source: Source, codes: Collection[str], traits: Traits) -> bytes:
        """All that findings depend on, other files aside."""
        if not self._is_on:
            return b""
        how = [traits.framework.value, traits.storage.value]
        where = [module.file.name, module.name]
        key = [_this_program(), self._run, how, where, sorted(codes), source.digest]
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
            return [_finding(data, path) for data in findings]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None

    def store(self, key: bytes, findings: Collection[Finding], used: Iterable[Part]) -> None:
        """Keep what was found, and the parts that were looked at for it."""
        if not self._is_on:
            return
        parts: dict[str, list[Part]] = {}
        for part in used:
            parts.setdefault(part.place.name, []).append(part)
        places = {}
        details = {}
        for name, group in sorted(parts.items()):
            place = group[0].place
            names = tuple(sorted(part.name for part in group))
            places[name] = place.digest
            details[name] = [names, place.digest_of_parts(names)]
        data = [[_data(finding) for finding in findings], places]
        lines = [json.dumps(each, separators=(",", ":")) for each in (data, details)]
        self._entries.store(key, "\n".join(lines).encode())


def _data(finding: Finding) -> list[object]:
    fixes = [
        [fix.title, fix.applicability.value, [[astuple(e.span), e.text] for e in fix.edits]]
        for fix in finding.fixes
    ]
    return [finding.code, finding.message, astuple(finding.span), finding.function, fixes]


def _finding(data: list[object], path: Path) -> Finding:
    code, message, span, function, fixes = data
    if not (isinstance(code, str) and isinstance(message, str) and isinstance(function, str)):
        raise TypeError("a text is no string")
    if not isinstance(fixes, list):
        raise TypeError("fixes are no list")
    return Finding(code, message, path, _span(span), function, tuple(map(_fix, fixes)))


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
    return Span(*data)


@lru_cache
def _this_program() -> str:
    """Stands for this very program and what it runs on: its answers may differ from others'."""
    found = blake2b(digest_size=16)
    folder = Path(__file__).parent
    for path in sorted(folder.rglob("*.*")):
        if path.suffix in (".py", ".pyi", ".txt"):
            found.update(path.relative_to(folder).as_posix().encode())
            found.update(path.read_bytes())
    found.update(f"{version('libcst')} {sys.version_info[:3]}".encode())
    return found.hexdigest()
