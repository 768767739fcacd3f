"""An engine for the tests of what stands around the engine."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from logctx_lint.engine.run_cache import Checked, Reported
from logctx_lint.findings import Applicability, Edit, Finding, Fix, Span
from logctx_lint.syntax.source import Source


class FakeEngine:
    """Finds `drop()` (LCX101, unsafe fix) and `swallow()` (LCX301, safe fix); `boom()` fails."""

    def check(
        self, source: Source, codes: Collection[str], tree: ast.Module | None = None
    ) -> list[Finding]:
        found = []
        for number, line in enumerate(source.lines, 1):
            if "boom()" in line:
                raise RecursionError("too\ndeep")
            if line.strip().startswith("drop()"):
                found.append(_finding(source, number, "LCX101", "drop()", "await drop()"))
            if line.strip().startswith("swallow()"):
                found.append(_finding(source, number, "LCX301", "swallow()", "kept()"))
        return [each for each in found if each.code in codes]

    def expect(self, paths: Iterable[Path]) -> None:
        """Keeps nothing."""

    def recall(self, paths: Sequence[Path]) -> dict[Path, Reported]:
        return {}

    def keep(self, paths: Sequence[Path], checked: Iterable[Checked]) -> None:
        """Remembers nothing."""

    def key(self, path: Path) -> bytes:
        return b""


def _finding(source: Source, line: int, code: str, old: str, new: str) -> Finding:
    start = source.lines[line - 1].index(old)
    span = Span(line, start, line, start + len(old))
    safety = Applicability.SAFE if code == "LCX301" else Applicability.UNSAFE
    fixes = [Fix(f"write `{new}`", safety, (Edit(span, new),))]
    if code == "LCX101":
        fixes.append(Fix("start it", Applicability.UNSAFE, (Edit(span, "start(drop)"),)))
    return Finding(code, f"`{old}` is bad", source.path, span, "f", tuple(fixes))
