"""How right the rules are on code that they were not written on.

Each row of ``verdicts.tsv`` is a finding that was read, on a pinned release, with its verdict. A
row is *kept* while its code is reported within two lines. Findings in no row, outside of tests, are
*new*: read each against its source (``--new`` lists them) and add a row. Usage::

    python -m bench.precision [TABLE] [--profile strict] [--only PACKAGE,...] [--set B]
        [--tree FOLDER] [--again] [--new] [--json | --markdown]

Releases are downloaded into ``.cache``; two run at a time, without the linter's cache. What the
same source of the linter has found before is not computed anew, unless `--again` says so. `--tree`
measures the linter of another working tree. The last line says precision (bugs and fair warnings
of all that is kept), the share of bugs, how many of the known bugs are kept, new findings, and
wrong findings per 100,000 lines (tests not counted). A row with `sample` stands for more rows.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import verdicts
from bench.linted import PROFILES, PROJECT, Failed, Found, Linter, of_tree
from bench.verdicts import VERDICTS, BadTable, Release, Row
from bench.wheels import Unavailable, unpacked

_NEAR = 2
"""By how many lines a finding may move and still be the one of a row."""
_TESTS = re.compile(
    r"(^|/)(tests?|testing|test_utils|integration_tests)/|(^|/)(test_[^/]*|conftest|tests)\.py$"
)


@dataclass
class Tally:
    """Rows and findings counted."""

    kept: Counter[str] = field(default_factory=Counter)
    """By verdict."""
    gone: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    """Of the wrong rows that are kept."""
    new: int = 0
    lines: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.kept + other.kept,
            self.gone + other.gone,
            self.causes + other.causes,
            self.new + other.new,
            self.lines + other.lines,
        )

    @property
    def all_kept(self) -> int:
        return self.kept.total()

    @property
    def right(self) -> int:
        return self.all_kept - self.kept["wrong"]

    def of(self, verdict: str) -> int:
        return self.kept[verdict] + self.gone[verdict]


@dataclass(frozen=True)
class Result:
    """What became of the rows of one release."""

    release: Release
    by_code: dict[str, Tally]
    new: list[Found]
    lines: int

    @property
    def tally(self) -> Tally:
        return sum(self.by_code.values(), Tally(lines=self.lines))


def main() -> None:
    options = _options()
    try:
        rows = verdicts.read(options.table)
        pins = verdicts.pins() if options.table == verdicts.TABLE else verdicts.unpinned(rows)
        grouped = verdicts.chosen(rows, pins, options.only, options.set)
        with of_tree(options.tree, options.profile) as linter:
            _show(measure(linter, grouped, again=options.again), options)
    except (BadTable, Failed, Unavailable) as error:
        sys.exit(f"precision: {error}")


def _show(results: Iterator[Result], options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps([_as_json(each) for each in results], indent=2))
    elif options.markdown:
        print("\n".join(markdown(list(results), options.profile)))
    else:
        _print(results, options.new)


def measure(
    linter: Linter, grouped: dict[Release, list[Row]], *, again: bool = False
) -> Iterator[Result]:
    folders = {release: unpacked(release.package, release.version) for release in grouped}
    found = linter.found_in_all(grouped, again=again)
    for (release, rows), findings in zip(grouped.items(), found, strict=True):
        yield compare(release, rows, findings, count_lines(folders[release]))


def compare(release: Release, rows: list[Row], findings: list[Found], lines: int = 0) -> Result:
    """Which rows are kept, and which findings stand in none."""
    by_code: defaultdict[str, Tally] = defaultdict(Tally)
    left = list(findings)
    for row in rows:
        tally = by_code[row.code]
        hit = next((each for each in left if is_about(each, row)), None)
        if hit is None:
            tally.gone[row.verdict] += 1
        else:
            left.remove(hit)
            tally.kept[row.verdict] += 1
            if row.verdict == "wrong":
                tally.causes[row.cause] += 1
    sampled = {row.code for row in rows if row.sample}
    new = [each for each in left if each.code not in sampled and not is_test(each.path)]
    for each in new:
        by_code[each.code].new += 1
    return Result(release, dict(sorted(by_code.items())), new, lines)


def is_about(found: Found, row: Row) -> bool:
    is_near = abs(found.line - row.line) <= _NEAR
    return is_near and found.code == row.code and found.path == row.path


def is_test(path: str) -> bool:
    return bool(_TESTS.search(path))


def count_lines(folder: Path) -> int:
    """Lines of Python below a folder, tests left out."""
    return sum(
        path.read_bytes().count(b"\n")
        for path in folder.rglob("*.py")
        if path.is_file() and not is_test(path.relative_to(folder).as_posix())
    )


def by_code(results: Iterable[Result]) -> dict[str, Tally]:
    total: defaultdict[str, Tally] = defaultdict(Tally)
    for result in results:
        for code, tally in result.by_code.items():
            total[code] += tally
    return dict(sorted(total.items()))


def summary(total: Tally) -> str:
    kept, bugs = total.all_kept or 1, total.of("bug")
    return (
        f"precision {_percent(total.right, kept)}  bug share {_percent(total.kept['bug'], kept)}"
        f"  bugs kept {_percent(total.kept['bug'], bugs or 1)} of {bugs}  kept {total.all_kept}"
        f"  new {total.new}  wrong per 100,000 lines {_per_lines(total):.1f}"
    )


def markdown(results: Sequence[Result], profile: str) -> Iterator[str]:
    """A table for each rule, with a line above that says what was measured."""
    total = sum((result.tally for result in results), Tally())
    names = ", ".join(map(str, sorted(result.release for result in results)))
    of_profile = f"profile `{profile}`" if profile else "default settings"
    yield (
        f"{len(results)} releases, {round(total.lines, -3):,} lines without tests, {of_profile}:"
        f" {names}."
    )
    yield ""
    yield "| rule | bugs | fair warnings | wrong | right |"
    yield "|---|---:|---:|---:|---:|"
    for code, tally in by_code(results).items():
        if tally.all_kept:
            yield _table_line(code, tally)
    yield _table_line("all", total)
    yield ""
    unread = f"; {total.new} findings not read" if total.new else ""
    yield (
        f"{_percent(total.right, total.all_kept or 1)} right,"
        f" {_percent(total.kept['bug'], total.all_kept or 1)} bugs,"
        f" {_per_lines(total):.1f} wrong per 100,000 lines;"
        f" {total.kept['bug']} of {total.of('bug')} known bugs reported{unread}."
    )


def _print(results: Iterable[Result], show_new: bool) -> None:
    seen = []
    for result in results:
        seen.append(result)
        if show_new:
            for each in result.new:
                print(
                    "new",
                    result.release.package,
                    f"{each.path}:{each.line}",
                    each.code,
                    each.message,
                )
        print(f"{result.release.package:28} {_counts(result.tally)}", flush=True)
    total = sum((result.tally for result in seen), Tally())
    for code, tally in by_code(seen).items():
        print(f"{code:8} {_counts(tally)}")
    if total.causes:
        causes = ", ".join(f"{number} {cause}" for cause, number in total.causes.most_common())
        print(f"wrong, by cause: {causes}")
    print(summary(total))


def _counts(tally: Tally) -> str:
    kept = (f"{verdict} {tally.kept[verdict]}/{tally.of(verdict)}" for verdict in VERDICTS)
    return f"{'  '.join(kept)}  new {tally.new}"


def _table_line(name: str, tally: Tally) -> str:
    counts = " | ".join(str(tally.kept[verdict]) for verdict in VERDICTS)
    return f"| {name} | {counts} | {_percent(tally.right, tally.all_kept or 1)} |"


def _as_json(result: Result) -> dict[str, object]:
    return {
        "package": result.release.package,
        "version": result.release.version,
        "lines": result.lines,
        "rules": {
            code: {"kept": dict(tally.kept), "gone": dict(tally.gone), "new": tally.new}
            for code, tally in result.by_code.items()
        },
        "causes": dict(result.tally.causes),
        "new": [
            {"path": each.path, "line": each.line, "code": each.code, "message": each.message}
            for each in result.new
        ],
    }


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


def _per_lines(total: Tally) -> float:
    return 1e5 * total.kept["wrong"] / (total.lines or 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("table", nargs="?", type=Path, default=verdicts.TABLE)
    add_common_options(parser)
    parser.add_argument("--new", action="store_true", help="list findings that are in no row")
    parser.add_argument("--again", action="store_true", help="run on every release anew")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true")
    form.add_argument("--markdown", action="store_true")
    return parser.parse_args()


def add_common_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tree", type=Path, default=PROJECT, help="the linter's working tree")
    parser.add_argument("--profile", default="", choices=PROFILES)
    parser.add_argument("--only", default=(), type=_names, metavar="PACKAGE,...")
    parser.add_argument("--set", default=(), type=_names, metavar="SET,...")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


if __name__ == "__main__":
    main()
