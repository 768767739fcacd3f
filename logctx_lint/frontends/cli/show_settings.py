"""`check --show-settings`: the settings of the named files, and where each comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import TextIO

from logctx_lint.config.environment import distributions, import_folders
from logctx_lint.config.loading import Loaded
from logctx_lint.config.settings import Settings, described
from logctx_lint.config.unresolved_names import unresolved_names
from logctx_lint.frontends.cli.files import Group, shown
from logctx_lint.project.frameworks import TraitsDetector
from logctx_lint.syntax.source import Source, Unreadable

_IS_DETECTED = ("storage", "framework")
_DETECTED = "detected, see below"


def write(loaded: Loaded, groups: Sequence[Group], out: TextIO) -> None:
    """Write it for people."""
    out.writelines(f"{line}\n" for line in _lines(loaded, groups))


def decisions(loaded: Loaded, groups: Sequence[Group]) -> Iterator[str]:
    """What was said in settings, and what was decided."""
    yield f"project root: {loaded.settings.root}"
    yield from _said(loaded)
    yield from _found(loaded, groups)


def notes(loaded: Loaded, groups: Sequence[Group]) -> Iterator[str]:
    """What was said in any of the settings and is of no effect."""
    of_their_own = [each.loaded for each in groups if each.loaded is not loaded]
    told = (
        note
        for each in (loaded, *of_their_own)
        for note in (*each.notes, *unresolved_names(each.settings))
    )
    # Flags are among the settings of each.
    yield from dict.fromkeys(told)


def _lines(loaded: Loaded, groups: Sequence[Group]) -> Iterator[str]:
    yield f"project root: {loaded.settings.root}"
    for name in described():
        yield _setting(loaded, name)
    yield from (f"note: {note}" for note in notes(loaded, groups))
    yield from _found(loaded, groups)


def _said(loaded: Loaded) -> Iterator[str]:
    for name in described():
        if name in loaded.origins:
            yield _setting(loaded, name)


def _setting(loaded: Loaded, name: str) -> str:
    origin = loaded.origins.get(name)
    value = getattr(loaded.settings, name)
    shown_value = _DETECTED if value is None and name in _IS_DETECTED else _text(value)
    return f"  {name.replace('_', '-')} = {shown_value}{f'  ({origin})' if origin else ''}"


def _found(loaded: Loaded, groups: Sequence[Group]) -> Iterator[str]:
    yield f"environment: {loaded.environment.path} ({loaded.environment.why})"
    folders = import_folders(loaded.settings.environment, loaded.settings.root)
    if folders:
        yield f"  {distributions(folders)} distributions in {', '.join(map(str, folders))}"
    for group in groups:
        if group.settings.root != loaded.settings.root:
            yield f"settings of their own: {shown(group.settings.root)}"
            yield from _said(group.loaded)
            if group.settings.environment != loaded.settings.environment:
                yield f"  environment: {group.settings.environment}"
        yield f"files: {len(group.files)} below {group.settings.root}"
        yield from _decided(group.settings, group.files)


def _text(value: object) -> str:
    match value:
        case None:
            return "none"
        case Enum():
            return str(value.value)
        case Mapping():
            items = (f"{_text(key)}: {_text(each)}" for key, each in value.items())
            return "; ".join(items) or "none"
        case tuple():
            return ", ".join(map(_text, value)) or "none"
    return str(value)


def _decided(settings: Settings, files: Sequence[Path]) -> Iterator[str]:
    """What was decided for the files, and from what."""
    detector = TraitsDetector(settings)
    frameworks: Counter[str] = Counter()
    storages: Counter[str] = Counter()
    for path in files:
        try:
            traits = detector.of_file(Source.read(path))
        except Unreadable:
            continue
        frameworks[traits.framework.value] += 1
        storages[traits.storage.value] += 1
    said = settings.framework is not None
    yield f"  framework: {_counts(frameworks)} ({'as set' if said else 'by what files import'})"
    said = settings.storage is not None
    reason = "as set" if said else "thread-local where PreserveLoggingContext or the like is used"
    yield f"  storage: {_counts(storages)} ({reason})"


def _counts(counted: Counter[str]) -> str:
    return ", ".join(f"{name} in {number}" for name, number in counted.most_common()) or "none"
