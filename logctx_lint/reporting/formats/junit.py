"""For CI servers that read test reports: one failed test case for each finding."""

from __future__ import annotations

import re
from typing import TextIO
from xml.etree import ElementTree as ET

from logctx_lint.findings import Finding
from logctx_lint.reporting.report import Report

# What XML 1.0 has no way to write.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(report: Report, out: TextIO) -> None:
    # A suite without a case would look like a run that did nothing.
    cases = [_case(each) for each in report.findings] or [
        ET.Element("testcase", name="logctx-lint")
    ]
    counts = {"tests": str(len(cases)), "failures": str(len(report.findings)), "errors": "0"}
    suites = ET.Element("testsuites", counts | {"name": "logctx-lint"})
    suite = ET.SubElement(suites, "testsuite", counts | {"name": "logctx-lint"})
    suite.extend(cases)
    ET.indent(suites)
    out.write('<?xml version="1.0" encoding="utf-8"?>\n')
    out.write(ET.tostring(suites, encoding="unicode") + "\n")


def _case(finding: Finding) -> ET.Element:
    place = f"{finding.path}:{finding.span.line}:{finding.span.column + 1}"
    case = ET.Element(
        "testcase",
        name=_clean(f"{finding.code} at {place}"),
        classname=_clean(finding.path.with_suffix("").as_posix().replace("/", ".")),
        file=_clean(finding.path.as_posix()),
        line=str(finding.span.line),
    )
    message = _clean(finding.message)
    failure = ET.SubElement(case, "failure", message=message, type=finding.code)
    failure.text = _clean(f"{place}: {finding.code} {finding.message}")
    return case


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
