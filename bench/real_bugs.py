"""Bugs that Synapse really shipped: flagged in the release before, silent in the release after?

Each row of the table names two releases, a function, and the codes that should speak of the bug.
Usage: ``python -m bench.real_bugs TABLE.tsv [--package matrix-synapse]``.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.wheels import unpacked
from logctx_lint.config.codes import OPT_IN
from logctx_lint.config.settings import Settings
from logctx_lint.engine.engine import Engine
from logctx_lint.findings import Finding
from logctx_lint.syntax.source import Source


@dataclass(frozen=True)
class Bug:
    before: str
    after: str
    file: str
    function: str
    codes: frozenset[str]
    description: str


@dataclass(frozen=True)
class Verdict:
    bug: Bug
    flagged: list[Finding]
    """What is said of the function in the release before."""
    remaining: list[Finding]
    """What is still said of it in the release after."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--package", default="matrix-synapse")
    options = parser.parse_args()
    verdicts = list(judge(options.table, options.package))
    for verdict in verdicts:
        print(_line(verdict))
    flagged = sum(bool(each.flagged) for each in verdicts)
    silent = sum(not each.remaining for each in verdicts)
    print(f"\nof {len(verdicts)}: {flagged} flagged before, {silent} silent after")


def judge(table: Path, package: str) -> Iterator[Verdict]:
    engines: dict[str, Engine] = {}

    def found(version: str, bug: Bug) -> list[Finding]:
        folder = unpacked(package, version)
        if version not in engines:
            engines[version] = Engine(_everything(folder), use_cache=False)
        findings = engines[version].check(Source.read(folder / bug.file), bug.codes)
        return [each for each in findings if _is_inside(each.function, bug.function)]

    for bug in read(table):
        yield Verdict(bug, found(bug.before, bug), found(bug.after, bug))


def read(table: Path) -> list[Bug]:
    with table.open(encoding="utf-8", newline="") as lines:
        return [
            Bug(
                row["before"],
                row["after"],
                row["file"],
                row["function"],
                frozenset(row["expected_codes"].split()),
                row["description"],
            )
            for row in csv.DictReader(lines, delimiter="\t")
        ]


def _everything(root: Path) -> Settings:
    return Settings(root=root, enable=tuple(OPT_IN))


def _is_inside(function: str, outer: str) -> bool:
    """Whether a finding's function is the one named, or nested in it."""
    return function == outer or function.startswith(f"{outer}.")


def _line(verdict: Verdict) -> str:
    bug = verdict.bug
    before = ",".join(sorted({each.code for each in verdict.flagged})) or "MISSED"
    after = ",".join(sorted({each.code for each in verdict.remaining})) or "silent"
    wanted = "/".join(sorted(bug.codes))
    return f"{bug.before:>8} {before:14} {after:14} {wanted:14} {bug.file}: {bug.function}"


if __name__ == "__main__":
    main()
