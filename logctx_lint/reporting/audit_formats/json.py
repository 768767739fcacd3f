"""For programs: the roots, and every function with its verdict, once (see docs/audit.md)."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, TextIO

from logctx_lint.callgraph.cancellation_safety import Audit, Judged, repairs
from logctx_lint.callgraph.graph import Step
from logctx_lint.findings import Finding
from logctx_lint.project.modules import Function
from logctx_lint.reporting.audit_report import AuditReport


def write(report: AuditReport, out: TextIO) -> None:
    json.dump(as_object(report), out, indent=2)
    out.write("\n")


def as_object(report: AuditReport) -> dict[str, Any]:
    """The audit in the shape that docs and consumers rely on."""
    judged = {each: one for audit in report.audits for each, one in audit.functions.items()}
    functions = {id_of(report, each): _function(report, one) for each, one in judged.items()}
    for one in judged.values():
        for call in one.calls.resolved:
            # What goes on when its caller is cancelled has no verdict.
            if call.function not in judged:
                functions[id_of(report, call.function)] = _place(report, call.function)
    return {
        "version": 1,
        "roots": [_root(report, audit) for audit in report.audits],
        "functions": functions,
        "repairs": [
            {
                "function": id_of(report, each.function.function),
                "roots": each.roots,
                "made_safe": each.made_safe,
                "made_unknown": each.made_unknown,
            }
            for each in repairs(report.audits)
        ],
    }


def id_of(report: AuditReport, function: Function) -> str:
    return f"{report.file(function)}::{function.local_name}"


def _root(report: AuditReport, audit: Audit) -> dict[str, Any]:
    verdicts = Counter(audit.functions[each].own.value for each in audit.reached)
    return {
        "function": id_of(report, audit.root.function),
        "marked": audit.root.is_marked,
        "verdict": audit.root.verdict.value,
        "functions": {"safe": 0, "unsafe": 0, "unknown": 0, **verdicts},
        "problems": [
            {
                "function": id_of(report, each.function),
                "verdict": each.own.value,
                "path": [_step(report, step) for step in audit.path(each.function)],
            }
            for each in audit.problems
        ],
    }


def _step(report: AuditReport, step: Step) -> dict[str, Any]:
    return {
        "caller": id_of(report, step.caller),
        "line": step.call.line,
        "how": step.call.how.value,
        "function": id_of(report, step.call.function),
    }


def _place(report: AuditReport, function: Function) -> dict[str, Any]:
    return {
        "name": function.local_name,
        "filename": report.file(function),
        "line": function.line,
        "first_line": function.facts.first_line,
        "end_line": function.facts.end_line,
        "verdict": None,
    }


def _function(report: AuditReport, judged: Judged) -> dict[str, Any]:
    return {
        **_place(report, judged.function),
        "marked": judged.is_marked,
        "verdict": judged.verdict.value,
        "own_verdict": judged.own.value,
        "findings": [_finding(each) for each in judged.findings],
        "unresolved": [
            {
                "line": each.line,
                "text": each.text,
                "reason": each.reason.value,
                "matters": each.matters,
            }
            for each in judged.calls.unresolved
        ],
        "calls": [
            {
                "line": call.line,
                "how": call.how.value,
                "cancelled": call.how.is_cancelled,
                "function": id_of(report, call.function),
            }
            for call in judged.calls.resolved
        ],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "message": finding.message,
        "line": finding.span.line,
        "column": finding.span.column + 1,
    }
