"""Comments by which another linter's rule of the same is told not to report."""

from __future__ import annotations

import re

from logctx_lint.findings import Finding
from logctx_lint.syntax.source import Source

_SAME_RULE = {"LCX204": "RUF006"}
"""Rules that say the same of the same place, by the codes of ours."""
_COMMENT = "#\\s*(?:ruff:\\s*)?noqa\\s*:.*\\b{}\\b"


def is_excused(source: Source, finding: Finding) -> bool:
    """Whether somebody has decided on a place already: `# noqa: RUF006`."""
    code = _SAME_RULE.get(finding.code)
    if code is None or code not in source.text:
        return False
    lines = source.lines[finding.span.line - 1 : finding.span.end_line]
    comment = re.compile(_COMMENT.format(code), re.IGNORECASE)
    return any(map(comment.search, lines))
