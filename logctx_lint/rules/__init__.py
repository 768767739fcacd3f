"""The rules. Each module is one rule, and its docstring is its page in docs/rules.md."""

from __future__ import annotations

from logctx_lint.rules import (
    lcx101,
    lcx102,
    lcx103,
    lcx105,
    lcx106,
    lcx108,
    lcx109,
    lcx201,
    lcx202,
    lcx203,
    lcx204,
    lcx205,
    lcx206,
    lcx301,
    lcx302,
    lcx303,
    lcx304,
    lcx305,
    lcx401,
    lcx402,
    lcx404,
)
from logctx_lint.rules.base import Rule

RULES: tuple[Rule, ...] = (
    lcx101.RULE,
    lcx102.RULE,
    lcx103.RULE,
    lcx105.RULE,
    lcx106.RULE,
    lcx108.RULE,
    lcx109.RULE,
    lcx201.RULE,
    lcx202.RULE,
    lcx203.RULE,
    lcx204.RULE,
    lcx205.RULE,
    lcx206.RULE,
    lcx301.RULE,
    lcx302.RULE,
    lcx303.RULE,
    lcx304.RULE,
    lcx305.RULE,
    lcx401.RULE,
    lcx402.RULE,
    lcx404.RULE,
)
