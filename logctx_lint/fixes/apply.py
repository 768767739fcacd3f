"""Applying fixes to text, and writing the text back.

Only the spans that a fix names change. Everything else, line endings and encoding included,
stays byte for byte.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path

from logctx_lint.findings import Applicability, Edit, Finding, Fix, Span
from logctx_lint.syntax.source import Source, Unreadable, parses, split_lines

# Each round applies at least one fix, so this only stops a rule whose fix does not cure.
_MAX_ROUNDS = 100

_BEGUN = ".logctx-lint"
"""Ends the name of the copy that takes the place of a file when it is complete."""
_STRAY = 60
"""Seconds; writing takes a fraction of one."""
_LINE_END = re.compile(r"\r\n|\r|\n")


class NotWritten(Exception):
    """A file was left alone; the message says why."""


@dataclass(frozen=True, slots=True, order=True)
class _Change:
    """An edit as character offsets."""

    start: int
    end: int
    text: str

    def touches(self, other: _Change) -> bool:
        """Could the two get in each other's way? Two that only touch do."""
        return self.start <= other.end and other.start <= self.end


@dataclass(frozen=True, slots=True)
class Fixed:
    """What became of one file."""

    source: Source
    findings: list[Finding]
    """What is still found in the new text."""
    applied: tuple[Fix, ...]


def fix(source: Source, check: Callable[[Source], list[Finding]], *, unsafe: bool = False) -> Fixed:
    """Apply the first fix of every finding that has an applicable one, until none is left."""
    findings = check(source)
    applied: list[Fix] = []
    for _ in range(_MAX_ROUNDS):
        wanted = [chosen for each in findings if (chosen := applicable(each, unsafe=unsafe))]
        text, done = apply(source.text, wanted)
        if not done:
            break
        applied += done
        source = replace(source, text=text)
        findings = check(source)
    return Fixed(source, findings, tuple(applied))


def applicable(finding: Finding, *, unsafe: bool) -> Fix | None:
    """The fix to apply: the first one, unless it is unsafe and those are not wanted."""
    if not finding.fixes:
        return None
    first = finding.fixes[0]
    return first if unsafe or first.applicability is Applicability.SAFE else None


def apply(text: str, fixes: Iterable[Fix]) -> tuple[str, list[Fix]]:
    """One round: the text after as many of `fixes` as go together, and which those are.

    A fix that touches an earlier one waits for the next round, when it has been computed anew;
    an insertion that both make alike (the same import) is made once. A fix after which the text
    cannot be parsed is dropped.
    """
    chosen = list(_compatible(text, fixes))
    result = _changed(text, [changes for _, changes in chosen])
    if chosen and not parses(result):
        kept: list[tuple[Fix, list[_Change]]] = []
        for candidate in chosen:
            if parses(_changed(text, [changes for _, changes in [*kept, candidate]])):
                kept.append(candidate)
        chosen = kept
        result = _changed(text, [changes for _, changes in chosen])
    return result, [each for each, _ in chosen]


def as_one_edit(source: Source, fix: Fix) -> Edit | None:
    """The smallest single edit that does all that a fix does; None when it cannot be applied."""
    after, done = apply(source.text, [fix])
    if not done:
        return None
    [(_, changes)] = _compatible(source.text, [fix])
    start = min(change.start for change in changes)
    end = max(change.end for change in changes)
    starts = list(accumulate(map(len, source.lines), initial=0))
    # Behind the end of the last line another begins.
    last = len(source.lines) + source.text.endswith(("\r", "\n"))

    def position(offset: int) -> tuple[int, int]:
        line = bisect_right(starts, offset, hi=last)
        return line, offset - starts[line - 1]

    text = after[start : end + len(after) - len(source.text)]
    return Edit(Span(*position(start), *position(end)), text)


def write(before: Source, after: Source, root: Path) -> None:
    """Replace the file of `before` by the text of `after`, at once and with its mode kept.

    Raises NotWritten when the file no longer is what was read, when its encoding cannot hold the
    text, or when it is a symbolic link that leads out of `root`.
    """
    path = before.path
    target = path.resolve()
    linked = Path(os.path.abspath(path)) != target
    if linked and not target.is_relative_to(root.resolve()):
        raise NotWritten("a symbolic link that leads out of the project")
    try:
        data = after.encode(after.text)
        if target.read_bytes() != before.encode(before.text):
            raise NotWritten(_why_different(before))
        # root, as in a container, may write anything, but what nobody may write is meant to stay.
        if not os.access(target, os.W_OK) or not target.stat().st_mode & 0o222:
            raise NotWritten("it is read-only")
        _replace(target, data)
    except UnicodeError as error:
        raise NotWritten(f"its encoding cannot hold the fix: {error}") from error
    except OSError as error:
        raise NotWritten(f"cannot be written: {error.strerror}") from error


def remove_strays(folder: Path) -> None:
    """Remove what a killed run has left in a folder: the copy that it was writing."""
    for path in folder.glob(f".*{_BEGUN}"):
        with contextlib.suppress(OSError):
            # Another run may be about to put a younger one in its place.
            if time.time() - path.lstat().st_mtime > _STRAY:
                path.unlink()


def diff(before: Source, after: Source) -> str:
    """A unified diff that `patch -p1` and `git apply` take; empty when nothing changed."""
    from difflib import unified_diff  # Only for --diff.

    name = before.path.as_posix().lstrip("/")
    lines = unified_diff(
        _diff_lines(before.text), _diff_lines(after.text), f"a/{name}", f"b/{name}"
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _compatible(text: str, fixes: Iterable[Fix]) -> Iterator[tuple[Fix, list[_Change]]]:
    starts = list(accumulate(map(len, split_lines(text)), initial=0))
    newline = _newline(text)
    located = []
    for each in fixes:
        with contextlib.suppress(ValueError):
            located.append((each, [_locate(edit, starts, newline) for edit in each.edits]))
    taken: list[_Change] = []
    for each, changes in sorted(located, key=lambda item: (sorted(item[1]), item[1])):
        free = all(
            not change.touches(other) or (change == other and change.start == change.end)
            for change in changes
            for other in taken
        )
        if changes and free and not _entangled(changes):
            taken += changes
            yield each, changes


def _entangled(changes: Sequence[_Change]) -> bool:
    """Do the edits of one fix overlap? (They may touch; then their order counts.)"""
    ordered = sorted(changes, key=lambda change: (change.start, change.end))
    return any(later.start < earlier.end for earlier, later in pairwise(ordered))


def _locate(edit: Edit, starts: Sequence[int], newline: str) -> _Change:
    """Offsets of an edit; raises ValueError when its span is not inside the text."""
    span = edit.span

    def offset(line: int, column: int) -> int:
        # The position behind the last line is a place to insert at.
        end = starts[line] if 1 <= line < len(starts) else starts[-1]
        if not 1 <= line <= len(starts) or not 0 <= column <= end - starts[line - 1]:
            raise ValueError(span)
        return starts[line - 1] + column

    start, end = offset(span.line, span.column), offset(span.end_line, span.end_column)
    if end < start:
        raise ValueError(span)
    return _Change(start, end, _LINE_END.sub(lambda _: newline, edit.text))


def _changed(text: str, groups: Iterable[Sequence[_Change]]) -> str:
    # What two fixes insert alike is inserted once. The sort is stable, so that what one fix
    # inserts at one place stays in its order.
    seen: set[_Change] = set()
    kept: list[_Change] = []
    for group in groups:
        kept += [change for change in group if change not in seen]
        seen.update(group)
    pieces = []
    position = 0
    for change in sorted(kept, key=lambda change: (change.start, change.end)):
        pieces += [text[position : change.start], change.text]
        position = change.end
    return "".join([*pieces, text[position:]])


def _newline(text: str) -> str:
    """The line ending of the text's first line."""
    found = _LINE_END.search(text)
    return found.group() if found else "\n"


def _why_different(before: Source) -> str:
    try:
        same_text = Source.read(before.path).text == before.text
    except Unreadable:
        same_text = False
    if same_text:
        return "its encoding does not give back the same bytes"
    return "it changed on disk meanwhile"


def _replace(target: Path, data: bytes) -> None:
    import shutil
    import tempfile

    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=_BEGUN, dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(target, name)
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _diff_lines(text: str) -> list[str]:
    """Lines as diff and patch see them: only a newline ends one."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)
