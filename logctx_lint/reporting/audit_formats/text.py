"""For people: each root with its problems, and the tree of what is cancelled with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TextIO

from logctx_lint.callgraph.body_reader import Call, EdgeKind
from logctx_lint.callgraph.cancellation_safety import Audit, Judged, Verdict, repairs
from logctx_lint.callgraph.graph import Step
from logctx_lint.project.modules import Function
from logctx_lint.reporting.audit_report import AuditReport, gain

_SIGNS = {Verdict.SAFE: "✓", Verdict.UNSAFE: "✗", Verdict.UNKNOWN: "?"}
_STYLES = {Verdict.SAFE: "32", Verdict.UNSAFE: "1;31", Verdict.UNKNOWN: "33"}
_BOLD, _DIM = "1", "2"
_CODE_WIDTH = 6
_MOST_REPAIRS = 10


def write(report: AuditReport, out: TextIO) -> None:
    out.writelines(f"{line.rstrip()}\n" for line in _Writer(report).lines())


class _Writer:
    def __init__(self, report: AuditReport) -> None:
        self._report = report
        self._shown: set[Function] = set()

    def lines(self) -> Iterator[str]:
        for audit in self._report.audits:
            yield from self._root(audit)
            yield ""
        yield from self._repairs()
        yield self._summary()

    def _repairs(self) -> Iterator[str]:
        found = repairs(self._report.audits) if len(self._report.audits) > 1 else []
        if found:
            yield "What to correct first:"
        for each in found[:_MOST_REPAIRS]:
            function, findings = each.function.function, each.function.findings
            because = ", ".join(sorted({finding.code for finding in findings}))
            name, place = function.local_name, self._place(function)
            yield f"  {self._sign(Verdict.UNSAFE)} {name}  {place}  {because}"
            yield f"      {gain(each)}"
        if len(found) > _MOST_REPAIRS:
            yield f"  … and {len(found) - _MOST_REPAIRS} more functions"
        if found:
            yield ""

    def _summary(self) -> str:
        roots = self._report.audits
        if not roots:
            return (
                "no function is marked as cancellable; name some, as by --root 'app.api.*' "
                "or PATH::Class.method"
            )
        counts = Counter(audit.root.verdict for audit in roots)
        parts = [f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict]]
        return f"{len(roots)} {'root' if len(roots) == 1 else 'roots'}: {', '.join(parts)}"

    def _root(self, audit: Audit) -> Iterator[str]:
        root = audit.root
        mark = "" if root.is_marked or self._report.patterns else ", not marked"
        verdict = self._painted(root.verdict.value, _STYLES[root.verdict])
        name = self._painted(root.function.local_name, _BOLD)
        yield f"{self._sign(root.verdict)} {name}  {self._place(root.function)}: {verdict}{mark}"
        counts = Counter(audit.functions[each].own for each in audit.reached)
        parts = [f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict]]
        yield f"  functions cancelled with it, itself included: {', '.join(parts)}"
        for each in audit.problems:
            yield ""
            yield from self._problem(audit, each)
        if not self._report.brief:
            yield ""
            yield from self._below(audit)

    def _problem(self, audit: Audit, judged: Judged) -> Iterator[str]:
        sign = self._sign(judged.own)
        yield f"  {sign} {judged.function.local_name}  {self._place(judged.function)}"
        yield from (f"      {line}" for line in self._reasons(judged))
        way = audit.path(judged.function)
        if way:
            yield from (f"      {line}" for line in self._way(way))

    def _way(self, way: list[Step]) -> Iterator[str]:
        """The calls that lead there, one on each line."""
        for number, step in enumerate(way):
            where = f"{self._report.file(step.caller)}:{step.call.line}"
            start = "by" if number == 0 else "  "
            how = step.call.how.value
            callee = step.call.function.local_name
            yield self._painted(f"{start} {step.caller.local_name} {how} {callee}  {where}", _DIM)

    def _reasons(self, judged: Judged) -> Iterator[str]:
        """Why a function's own code is not safe."""
        for finding in judged.findings:
            yield f"{finding.code:{_CODE_WIDTH}} line {finding.span.line}: {finding.message}"
        if judged.own is Verdict.UNKNOWN:
            for each in judged.calls.unresolved:
                if each.matters:
                    yield f"line {each.line}: `{each.text}` is awaited: {each.reason.value}"

    def _below(self, audit: Audit) -> Iterator[str]:
        """The functions that the root makes run, each opened where it is met first."""
        stack = self._branches(audit.root.calls.resolved, "  ")
        self._shown.add(audit.root.function)
        while stack:
            call, margin, is_last = stack.pop()
            yield f"{margin}{'└─' if is_last else '├─'} {self._call(audit, call)}"
            judged = audit.functions.get(call.function)
            if judged and call.how.is_cancelled and call.function not in self._shown:
                self._shown.add(call.function)
                inner = margin + ("   " if is_last else "│  ")
                stack += self._branches(judged.calls.resolved, inner)

    def _branches(self, calls: Sequence[Call], margin: str) -> list[tuple[Call, str, bool]]:
        """What is still to be shown, the first one last."""
        return [(call, margin, call is calls[-1]) for call in reversed(calls)]

    def _call(self, audit: Audit, call: Call) -> str:
        judged = audit.functions.get(call.function)
        how = "" if call.how is EdgeKind.CALLS else f"({call.how.value}) "
        name, place = call.function.local_name, self._place(call.function)
        if judged is None or not call.how.is_cancelled:
            return self._painted(f"· {how}{name}  {place}", _DIM)
        again = "  … above" if call.function in self._shown and judged.calls.resolved else ""
        because = ", ".join(sorted({each.code for each in judged.findings}))
        if judged.verdict is not Verdict.SAFE and judged.own is not judged.verdict:
            because = because or f"{judged.verdict.value} below"
        because = f"  {self._painted(because, _STYLES[judged.verdict])}" if because else ""
        return f"{self._sign(judged.verdict)} {how}{name}  {place}{because}{again}"

    def _place(self, function: Function) -> str:
        return self._painted(f"{self._report.file(function)}:{function.line}", _DIM)

    def _sign(self, verdict: Verdict) -> str:
        return self._painted(_SIGNS[verdict], _STYLES[verdict])

    def _painted(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._report.colour else text
