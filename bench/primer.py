"""What a change does to the findings on pinned releases, as a diff: run it after each change.

Compares the linter of a revision with the one in the working tree, on the releases that
``releases.tsv`` names. What was found is kept by the linter's source: a revision runs once only.
Usage::

    python -m bench.primer [REVISION] [--tree FOLDER] [--only PACKAGE,...] [--set B]
        [--profile strict] [--codes LCX301,...] [--reworded] [--json]

REVISION is HEAD by default. Each finding that was added (+) or removed (-) is shown with its line
of source, and with its verdict when it has been read: an added one without a verdict is to be read.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from bench import verdicts
from bench.linted import Failed, Found, of_revision, of_tree
from bench.precision import add_common_options, is_about
from bench.verdicts import BadTable, Release, Row
from bench.wheels import Unavailable, unpacked

Kind = Literal["added", "removed", "reworded", "moved"]
_SIGNS: dict[Kind, str] = {"added": "+", "removed": "-", "reworded": "~", "moved": ">"}
_UNREAD = "not read"


@dataclass(frozen=True)
class Difference:
    """A finding on one side only, or one that is told differently."""

    kind: Kind
    found: Found
    verdict: str = _UNREAD


def main() -> None:
    options = _options()
    try:
        grouped = verdicts.chosen(verdicts.read(), verdicts.pins(), options.only, options.set)
        kinds: set[Kind] = {"added", "removed", "moved"}
        if options.reworded:
            kinds.add("reworded")
        differences = {
            release: [
                each
                for each in found
                if each.kind in kinds and (not options.codes or each.found.code in options.codes)
            ]
            for release, found in _compared(
                options.revision, options.tree, options.profile, grouped
            )
        }
    except (BadTable, Failed, Unavailable) as error:
        sys.exit(f"primer: {error}")
    if options.json:
        print(json.dumps(list(_as_json(differences)), indent=2))
    else:
        for line in report(differences):
            print(line)


def _compared(
    revision: str, tree: Path, profile: str, grouped: dict[Release, list[Row]]
) -> Iterator[tuple[Release, list[Difference]]]:
    for release in grouped:
        unpacked(release.package, release.version)
    with of_revision(revision, profile) as linter:
        before = list(linter.found_in_all(grouped))
    with of_tree(tree, profile) as linter:
        after = list(linter.found_in_all(grouped))
    for (release, known), old, new in zip(grouped.items(), before, after, strict=True):
        yield release, difference(old, new, known)


def difference(
    before: Iterable[Found], after: Iterable[Found], rows: list[Row]
) -> list[Difference]:
    """How the findings on one release differ, in the order of the source."""
    old, new = _by_place(before), _by_place(after)
    found = []
    for place in sorted(old.keys() | new.keys()):
        left, right = old.get(place, []), new.get(place, [])
        for one, other in zip(left, right, strict=False):
            if one.profile and one.profile != other.profile:
                found.append(Difference("moved", other, verdict(other, rows)))
            elif one.message != other.message:
                found.append(Difference("reworded", other, verdict(other, rows)))
        found += [Difference("removed", each, verdict(each, rows)) for each in left[len(right) :]]
        found += [Difference("added", each, verdict(each, rows)) for each in right[len(left) :]]
    return found


def verdict(found: Found, rows: Iterable[Row]) -> str:
    """What a finding was worth when it was read."""
    row = min(
        (row for row in rows if is_about(found, row)),
        key=lambda row: abs(row.line - found.line),
        default=None,
    )
    if row is None:
        return _UNREAD
    return f"{row.verdict}, {row.cause}" if row.cause else row.verdict


def report(differences: dict[Release, list[Difference]]) -> Iterator[str]:
    for release, found in differences.items():
        if found:
            yield f"{release}: {_counts(found)}"
        for each in found:
            place = f"{each.found.path}:{each.found.line}"
            profile = f" [{each.found.profile}]" if each.found.profile else ""
            yield f"{_SIGNS[each.kind]} {place} {each.found.code}{profile} ({each.verdict})"
            yield f"      | {_source_line(release, each.found)}"
            yield f"      {each.found.message}"
        if found:
            yield ""
    everything = [each for found in differences.values() for each in found]
    yield f"{len(differences)} releases: {_counts(everything) or 'no difference'}"
    worth = Counter((each.kind, each.verdict.partition(",")[0]) for each in everything)
    for (kind, name), number in sorted(worth.items()):
        yield f"  {kind} {name}: {number}"


def _counts(found: Iterable[Difference]) -> str:
    numbers = Counter(each.kind for each in found)
    return ", ".join(f"{numbers[kind]} {kind}" for kind in _SIGNS if numbers[kind])


def _by_place(findings: Iterable[Found]) -> dict[tuple[str, int, str], list[Found]]:
    places: dict[tuple[str, int, str], list[Found]] = {}
    for each in findings:
        places.setdefault((each.path, each.line, each.code), []).append(each)
    return places


def _source_line(release: Release, found: Found) -> str:
    lines = _source(unpacked(release.package, release.version) / found.path)
    return lines[found.line - 1].strip() if found.line <= len(lines) else ""


@lru_cache(maxsize=8)
def _source(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _as_json(differences: dict[Release, list[Difference]]) -> Iterator[dict[str, object]]:
    for release, found in differences.items():
        for each in found:
            yield {
                "package": release.package,
                "version": release.version,
                "kind": each.kind,
                "path": each.found.path,
                "line": each.found.line,
                "code": each.found.code,
                "profile": each.found.profile,
                "message": each.found.message,
                "source": _source_line(release, each.found),
                "verdict": each.verdict,
            }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("revision", nargs="?", default="HEAD")
    add_common_options(parser)
    parser.add_argument("--codes", default=(), type=lambda text: tuple(text.split(",")))
    parser.add_argument("--reworded", action="store_true", help="show changed messages, too")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
