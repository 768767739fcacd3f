"""Fix every file of a package in memory, and hold the result against what fixes promise.

A fixed file compiles, has all of its comments, and fixing it again changes nothing; every single
fix on offer, the alternatives included, cures its finding and brings no other. Nothing is written.
Usage:
``python bench/fixes.py FOLDER...``; exits with 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import io
import sys
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from logctx_lint.config.codes import OPT_IN
from logctx_lint.config.settings import Settings
from logctx_lint.engine.file_discovery import python_files
from logctx_lint.engine.runner import linter
from logctx_lint.findings import Finding, Fix
from logctx_lint.fixes import apply
from logctx_lint.syntax.source import Source, Unreadable

Check = Callable[[Source], list[Finding]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path)
    broken = False
    for folder in parser.parse_args().folders:
        tally = Counter[str]()
        for line in examine(folder, tally):
            broken = True
            print(line)
        print(f"{folder.name}: " + ", ".join(f"{count} {what}" for what, count in tally.items()))
    sys.exit(broken)


def examine(folder: Path, tally: Counter[str]) -> Iterator[str]:
    """Every broken promise in a folder; what was done is counted in `tally`."""
    opt_in = tuple(OPT_IN)
    settings = Settings(root=folder.parent, enable=opt_in)
    check = linter(settings, use_cache=False).check
    for path in python_files([folder], (), settings.root):
        try:
            source = Source.read(path)
        except Unreadable:
            continue
        findings = check(source)
        tally["findings"] += len(findings)
        for finding in findings:
            for fix in finding.fixes:
                tally[f"{fix.applicability.value} fixes tried alone"] += 1
                for fault in _faults_of_one(source, finding, fix, check):
                    yield f"{_place(finding)}: {fix.title}: {fault}"
        for unsafe in (False, True):
            fixed = apply.fix(source, check, unsafe=unsafe)
            name = "with unsafe ones" if unsafe else "with safe ones"
            tally[f"files fixed {name}"] += bool(fixed.applied)
            tally[f"fixes applied {name}"] += len(fixed.applied)
            for fault in _faults(source, fixed.source):
                yield f"{path}: fixed {name}: {fault}"
            if apply.fix(fixed.source, check, unsafe=unsafe).applied:
                yield f"{path}: fixed {name}: fixing again changes it again"


def _faults_of_one(source: Source, finding: Finding, fix: Fix, check: Check) -> Iterator[str]:
    text, applied = apply.apply(source.text, [fix])
    if not applied:
        yield "cannot be applied"
        return
    after = replace(source, text=text)
    yield from _faults(source, after)
    was, now = _kinds(check(source)), _kinds(check(after))
    kind = (finding.code, finding.function)
    if now[kind] >= was[kind]:
        yield "the finding is still there"
    for code, function in now - was:
        yield f"brings {code} in {function or 'the module'}"


def _kinds(findings: list[Finding]) -> Counter[tuple[str, str]]:
    return Counter((each.code, each.function) for each in findings)


def _faults(before: Source, after: Source) -> Iterator[str]:
    try:
        compile(after.text, str(after.path), "exec", dont_inherit=True)
    except SyntaxError as error:
        yield f"does not compile: {error}"
        return
    lost = _comments(before) - _comments(after)
    if lost:
        yield f"loses {', '.join(lost)}"


def _comments(source: Source) -> Counter[str]:
    tokens = tokenize.generate_tokens(io.StringIO(source.text).readline)
    return Counter(token.string for token in tokens if token.type == tokenize.COMMENT)


def _place(finding: Finding) -> str:
    return f"{finding.path}:{finding.span.line}:{finding.span.column + 1}: {finding.code}"


if __name__ == "__main__":
    main()
