"""Runs the rules: what they find in one file."""

from __future__ import annotations

from collections.abc import Collection

from logctx_lint.analysis.context import TreeContext
from logctx_lint.analysis.units import File, Unit, units
from logctx_lint.config.settings import Storage
from logctx_lint.findings import Finding, not_analysed
from logctx_lint.inference.class_members import class_scope
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.frameworks import Traits
from logctx_lint.project.modules import Function
from logctx_lint.rules import RULES
from logctx_lint.rules.rule import Applies, Rule
from logctx_lint.suppression.other_linters import is_excused


def check_file(file: File, codes: Collection[str]) -> list[Finding]:
    """All findings of the rules `codes` in one file."""
    rules = _rules(file, codes)
    return [finding for unit in units(file, file.tree) for finding in _check_unit(unit, rules)]


def check_function(file: File, function: Function, codes: Collection[str]) -> list[Finding]:
    """What the rules `codes` find in a function, and in the others of the unit that it is in."""
    while function.scope and function.scope.function:
        function = function.scope.function
    node = function.tree()
    if node is None:
        return []
    scope = class_scope(function.owner) if function.owner else Scope(file.module)
    return _check_unit(Unit(file, node, scope), _rules(file, codes))


def _rules(file: File, codes: Collection[str]) -> list[Rule]:
    return [rule for rule in RULES if rule.code in codes and _applies(rule, file.traits)]


def _applies(rule: Rule, traits: Traits) -> bool:
    return {
        Applies.ALWAYS: True,
        Applies.THREAD_LOCAL: traits.storage is Storage.THREAD_LOCAL,
        Applies.CONTEXTVAR: traits.storage is Storage.CONTEXTVAR,
        Applies.TWISTED: traits.uses_twisted,
    }[rule.applies]


def _check_unit(unit: Unit, rules: list[Rule]) -> list[Finding]:
    found: list[Finding] = []
    context = TreeContext(unit, found)
    try:
        for rule in rules:
            if rule.screen is None or rule.screen(unit):
                rule.check(context)
    except RecursionError:
        found.append(not_analysed(unit.file.source.path, "nested too deeply", unit.first_line))
    return [each for each in found if not is_excused(unit.file.source, each)]
