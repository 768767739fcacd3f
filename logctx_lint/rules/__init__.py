"""The rules. Each is one module, named after the rule, in the folder of its family.

A rule's docstring is its page in docs/rules.md. Which rules there are says the registry,
`logctx_lint.config.codes`.
"""

from __future__ import annotations

from importlib import import_module

from logctx_lint.config.codes import RULE_CODES
from logctx_lint.rules.rule import Rule

RULES: tuple[Rule, ...] = tuple(import_module(each.module).RULE for each in RULE_CODES)
