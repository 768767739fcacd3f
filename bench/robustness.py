"""Lint what other people wrote: the standard library, and wheels of well-known packages.

No file may crash a rule or change, and none may take long; what Python cannot parse gives
LCX000. Usage: ``python -m bench.robustness [FOLDER...] [--stdlib] [--wheels]``; exits with 1 when a
file made a rule fail, took longer than the time limit or was changed.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.wheels import unpacked
from logctx_lint.config.codes import NOT_ANALYSED, OPT_IN
from logctx_lint.config.settings import Settings
from logctx_lint.engine.linter import Linter
from logctx_lint.engine.runner import linter
from logctx_lint.syntax.source import Source, Unreadable

WELL_KNOWN = (
    "aiohttp", "attrs", "autobahn", "black", "boto3", "botocore", "celery", "coverage", "django",
    "docutils", "fastapi", "flask", "homeassistant", "hypothesis", "ipython", "jinja2", "kombu",
    "matplotlib", "mypy", "networkx", "numpy", "pandas", "pip", "pygments", "pytest", "requests",
    "rich", "scipy", "scrapy", "setuptools", "sqlalchemy", "starlette", "sympy", "tornado", "trio",
    "twisted", "urllib3",
)  # fmt: skip

_SLOW = 20


@dataclass
class Tally:
    files: int = 0
    lines: int = 0
    findings: Counter[str] = field(default_factory=Counter)
    not_analysed: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """Where a rule failed, a file took too long or was changed."""
    slowest: list[tuple[float, int, Path]] = field(default_factory=list)
    """CPU seconds, lines, file."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--stdlib", action="store_true", help="this Python's standard library")
    parser.add_argument("--wheels", action="store_true", help=f"{len(WELL_KNOWN)} packages")
    options = parser.parse_args()
    folders = list(options.folders)
    if options.stdlib:
        folders.append(Path(sysconfig.get_path("stdlib")))
    if options.wheels:
        folders += map(unpacked, WELL_KNOWN)
    total = Tally()
    for folder in folders:
        before, started = total.files, time.process_time()
        examine(folder, total)
        seconds = time.process_time() - started
        print(f"{folder.name}: {total.files - before} files, {seconds:.0f} CPU seconds", flush=True)
    _print(total)
    sys.exit(bool(total.failures))


def examine(folder: Path, tally: Tally) -> None:
    opt_in = tuple(OPT_IN)
    check = linter(Settings(root=folder, enable=opt_in), use_cache=False)
    for path in sorted(folder.rglob("*.py")):
        if path.is_file() and "site-packages" not in path.parts:
            _examine_file(path, check, tally)


def _examine_file(path: Path, linter: Linter, tally: Tally) -> None:
    before = _digest(path)
    started = time.process_time()
    try:
        source = Source.read(path)
        findings, lines = linter.check(source), len(source.lines)
    except Unreadable as error:
        findings, lines = linter.unreadable(path, str(error), error.line), 0
    seconds = time.process_time() - started
    if seconds > _SLOW:
        print(f"  {seconds:.0f} CPU seconds for {lines} lines: {path}", flush=True)
    tally.slowest = sorted([*tally.slowest, (seconds, lines, path)], reverse=True)[:8]
    tally.files += 1
    tally.lines += lines
    for finding in findings:
        tally.findings[finding.code] += 1
        if finding.code == NOT_ANALYSED:
            text = f"{path}: {finding.message}"
            if "inside logctx-lint" in text or "takes more than" in text:
                _fail(tally, text)
            else:
                tally.not_analysed.append(text)
    if _digest(path) != before:
        _fail(tally, f"{path}: has changed")


def _fail(tally: Tally, text: str) -> None:
    print(f"  FAILED: {text}", flush=True)
    tally.failures.append(text)


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def _print(tally: Tally) -> None:
    for line in _lines(tally):
        print(line)


def _lines(tally: Tally) -> Iterable[str]:
    yield f"{tally.files} files, {tally.lines} lines, {len(tally.failures)} failures"
    yield ", ".join(f"{code}: {count}" for code, count in sorted(tally.findings.items()))
    yield from _listed("failures", tally.failures)
    yield from _listed("not analysed", tally.not_analysed)
    slowest = [f"{seconds:.1f} s, {lines} lines: {path}" for seconds, lines, path in tally.slowest]
    yield from _listed("slowest, CPU", slowest)


def _listed(title: str, items: list[str]) -> Iterator[str]:
    if items:
        yield f"\n{title}:"
        yield from (f"  {item}" for item in items)


if __name__ == "__main__":
    main()
