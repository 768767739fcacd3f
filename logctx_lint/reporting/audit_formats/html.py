"""A page for people: the tree to fold and to filter, and the source beside it.

One file that needs nothing else: the template `page.html` with the audit's JSON in it.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TextIO

from logctx_lint import __version__
from logctx_lint.callgraph.cancellation_safety import repairs
from logctx_lint.config.codes import url
from logctx_lint.project.modules import Function
from logctx_lint.reporting.audit_formats.json import as_object, id_of
from logctx_lint.reporting.audit_report import AuditReport, gain
from logctx_lint.syntax.source import Unreadable

_TEMPLATE = Path(__file__).parent / "page.html"
_DATA = "{{data}}"


def write(report: AuditReport, out: TextIO) -> None:
    data = as_object(report)
    for audit in report.audits:
        for function in audit.functions:
            data["functions"][id_of(report, function)]["source"] = _source(function)
    codes = {each["code"] for one in data["functions"].values() for each in one.get("findings", ())}
    data["rules"] = {code: url(code) for code in sorted(codes)}
    for repair, each in zip(data["repairs"], repairs(report.audits), strict=True):
        repair["gain"] = gain(each)
    data["named"] = bool(report.patterns)
    today = datetime.now(timezone.utc).date().isoformat()
    data["about"] = f"{report.root.resolve().name} · logctx-lint {__version__} · {today}"
    out.write(_TEMPLATE.read_text(encoding="utf-8").replace(_DATA, _embedded(data)))


def _source(function: Function) -> list[str]:
    facts = function.facts
    try:
        lines = function.module.source.lines[facts.first_line - 1 : facts.end_line]
    except Unreadable:
        return []
    return [line.rstrip("\r\n") for line in lines]


def _embedded(data: dict[str, Any]) -> str:
    """JSON that can stand in a `script` element, whatever the source says."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
