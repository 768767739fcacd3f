"""The cached result of a whole run, in one entry: faster to check than one for each file.

It holds for each file by itself, as `findings_cache` do, from which it is put together.
When a place has changed, each of its parts is compared once for all files that looked at it.
"""

from __future__ import annotations

import json
import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

from logctx_lint.config.settings import Settings
from logctx_lint.engine.findings_cache import Parts, ResultsCache, from_data, to_data
from logctx_lint.engine.tool_version import program
from logctx_lint.findings import Finding
from logctx_lint.incremental.store import Entries
from logctx_lint.project.files import DERIVED, Places
from logctx_lint.project.modules import Modules
from logctx_lint.project.paths import common_folder
from logctx_lint.syntax.source import Source
from logctx_lint.time_limit import time_limit

FORMAT = 2
"""Goes up with every change of what an entry holds."""
_LOG = logging.getLogger(__name__)
_FEW = 16
"""So many files are looked up one by one as quickly."""
_NOT_FOR_REPORTS = {"root", "exclude", "baseline", "time_limit"}
"""Settings that choose files, or come later."""


class Reported(NamedTuple):
    """One file of a run."""

    source: Source | None
    """None where nothing is reported."""
    findings: list[Finding]


class Checked(Protocol):
    """One file that was checked."""

    @property
    def source(self) -> Source | None: ...
    @property
    def findings(self) -> Sequence[Finding]: ...
    @property
    def key(self) -> bytes:
        """That of its findings in `findings_cache`; empty where these are not kept."""


class RunsCache:
    """Maps the files of a run to what was reported for them, as long as that holds."""

    def __init__(
        self, folder: Path | None, settings: Settings, modules: Modules, results: ResultsCache
    ) -> None:
        self._folder = folder
        self._entries = Entries(folder, "runs")
        self._settings = settings
        self._modules = modules
        self._results = results
        self._run = _Run()

    def recall(self, paths: Sequence[Path]) -> dict[Path, Reported]:
        """What was reported for some files the last time, where it still holds."""
        if self._folder is None or len(paths) < _FEW:
            return {}
        try:
            with time_limit(self._settings.time_limit):
                for path in paths:
                    root, _ = self._modules.name_of(os.path.abspath(path))
                    self._modules.places.roots.add(str(root))
                self._run = _Run.read(self._entries.load(self._key(paths)))
                self._run.update(self._modules)
                return {path: found for path in paths if (found := self._reported(path))}
        except Exception:
            # Whatever stands in the cache, the files can be checked.
            _LOG.info("what the last run reported cannot be used", exc_info=True)
            self._run = _Run()
            return {}

    def _reported(self, path: Path) -> Reported | None:
        file = self._run.files.get(self._name_of(path))
        if file is None:
            return None
        if not file.findings:
            return Reported(None, [])
        source = Source.read(path)
        if source.digest != file.digest:
            return None
        return Reported(source, [from_data(each, path) for each in file.findings])

    def keep(self, paths: Sequence[Path], checked: Iterable[Checked]) -> None:
        """Keep what was reported for the files of a run, some of which had to be checked."""
        if self._folder is None or len(paths) < _FEW:
            return
        try:
            for each in checked:
                came_from = self._results.came_from(each.key) if each.key else None
                if each.source and came_from:
                    findings = [to_data(finding) for finding in each.findings]
                    module = self._modules.name_of(os.path.abspath(each.source.path))[1]
                    file = _File(each.source.digest, module, findings)
                    self._run.add(self._name_of(each.source.path), file, *came_from)
            if self._run.is_changed:
                self._entries.store(self._key(paths), self._run.written(self._modules.places))
        except Exception:
            # What is put together stood in the cache, too, as anything may.
            _LOG.info("what this run reported is not kept", exc_info=True)

    def _name_of(self, path: Path) -> str:
        return self._modules.places.name_of(os.path.abspath(path))

    def _key(self, paths: Sequence[Path]) -> bytes:
        """There is one entry for each folder that somebody has checked."""
        chosen = {
            each.name: getattr(self._settings, each.name)
            for each in fields(self._settings)
            if each.name not in _NOT_FOR_REPORTS
        }
        chosen["environment"] = self._modules.places.installed
        if any(os.path.isabs(glob) for glob in self._settings.per_file_ignores):
            # What they match depends on where the project lies.
            chosen["root"] = self._settings.root
        folder = common_folder(paths)
        name = self._modules.places.name_of(folder) if folder else ""
        return json.dumps([FORMAT, program(self._folder), f"{chosen!r}", name]).encode()


class _File(NamedTuple):
    digest: str
    module: str
    """Its name, which files called `__init__.py` decide."""
    findings: list[list[object]]


@dataclass
class _Run:
    """An entry, of which no more is taken apart than is needed."""

    files: dict[str, _File] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    """The digest of each place that findings came from."""
    grounds: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of those that follow from others: the digests of these, which are found sooner."""
    lines: dict[str, bytes] = field(default_factory=dict)
    """The parts of these places: groups of names with the digest of all they say."""
    second_line: bytes = b"[]"
    """Which of them each file came from."""
    is_changed: bool = False

    @classmethod
    def read(cls, body: bytes | None) -> _Run:
        """Raises what bad data makes it raise."""
        if body is None:
            return cls()
        first_line, second_line, *lines = body.split(b"\n")
        files, places, grounds = json.loads(first_line)
        return cls(
            {name: _File(*file) for name, file in files.items()},
            places,
            grounds,
            dict(zip(places, lines, strict=True)),
            second_line,
        )

    @cached_property
    def groups(self) -> dict[str, dict[bytes, int]]:
        """The groups of each place, numbered."""
        return {
            place: {group: number for number, group in enumerate(line.split(b"\t"))}
            for place, line in self.lines.items()
        }

    @cached_property
    def came_from(self) -> dict[str, dict[str, int]]:
        """The places that the findings of each file came from, with the numbers of groups.

        To be asked for before `files` and `places` are changed.
        """
        places = list(self.places)
        return {
            name: {places[place]: group for place, group in zip(row[::2], row[1::2], strict=True)}
            for name, row in zip(self.files, json.loads(self.second_line), strict=True)
        }

    def update(self, modules: Modules) -> None:
        """Leave out the files whose findings may not hold any more."""
        named = modules.places.named
        broken = set()
        for name, digest in self.places.items():
            ground = self.grounds.get(name)
            if ground and all(named(each).digest == ground[each] for each in ground):
                continue
            place = named(name)
            if place.digest != digest:
                self.is_changed = True
                for group, number in self.groups[name].items():
                    parts, said = json.loads(group)
                    if place.digest_of_parts(tuple(parts)) != said:
                        broken.add((name, number))
                self.places[name] = place.digest
                self.grounds.pop(name, None)
        gone = [
            name
            for name, file in self.files.items()
            if named(name).digest != file.digest
            or modules.name_of(modules.places.path_of(name))[1] != file.module
            or (broken and not broken.isdisjoint(self.came_from[name].items()))
        ]
        for name in gone:
            self.is_changed = True
            del self.came_from[name], self.files[name]

    def add(
        self, name: str, file: _File, places: Mapping[str, str], parts: Mapping[str, Parts]
    ) -> None:
        """Take in a file with what its findings came from."""
        self.is_changed = True
        numbers = self.came_from[name] = {}
        self.files[name] = file
        for place, group in parts.items():
            if self.places.setdefault(place, places[place]) != places[place]:
                # It has changed during the run: compare the parts the next time.
                self.places[place] = ""
            groups = self.groups.setdefault(place, {})
            text = json.dumps(group, separators=(",", ":")).encode()
            numbers[place] = groups.setdefault(text, len(groups))

    def _ground(self, name: str, known: Places) -> dict[str, str]:
        """What a derived place was derived from, by name and digest."""
        known_ground = self.grounds.get(name)
        return known_ground or {each.name: each.digest for each in known.named(name).ground}

    def written(self, known: Places) -> bytes:
        """The entry, without what no file comes from any more."""
        used: dict[str, set[int]] = defaultdict(set)
        for numbers in self.came_from.values():
            for place, number in numbers.items():
                used[place].add(number)
        places = {name: self.places[name] for name in sorted(used)}
        lines = []
        flat: dict[tuple[str, int], tuple[int, int]] = {}
        for at, place in enumerate(places):
            kept = [item for item in self.groups[place].items() if item[1] in used[place]]
            flat.update(((place, old), (at, new)) for new, (_, old) in enumerate(kept))
            lines.append(b"\t".join(group for group, _ in kept))
        files = {name: self.files[name] for name in sorted(self.files)}
        rows = [
            [number for item in sorted(self.came_from[name].items()) for number in flat[item]]
            for name in files
        ]
        grounds = {name: self._ground(name, known) for name in places if DERIVED in name}
        first_two = [
            json.dumps(each, separators=(",", ":")) for each in ((files, places, grounds), rows)
        ]
        return b"\n".join([*(line.encode() for line in first_two), *lines])
