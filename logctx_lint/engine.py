"""Facts, screen, libcst visitors: from one file to its findings."""

from __future__ import annotations

import ast
import gc
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import libcst as cst
from libcst.metadata import CodeRange, PositionProvider

from logctx_lint.findings import Finding, not_analysed
from logctx_lint.project.cache import FactsCache
from logctx_lint.project.modules import Modules
from logctx_lint.project.resolver import Resolver
from logctx_lint.project.traits import Traits, TraitsDetector
from logctx_lint.results import ResultsCache
from logctx_lint.rules import RULES
from logctx_lint.rules.base import Applies, Rule, RuleVisitor
from logctx_lint.rules.context import RuleContext
from logctx_lint.rules.nodes import all_code
from logctx_lint.screen import File, Unit, units
from logctx_lint.settings import Settings, Storage
from logctx_lint.source import Source, Unreadable
from logctx_lint.time_limit import TooSlow
from logctx_lint.vocabulary import Vocabulary

CACHE_FOLDER = ".logctx_cache"
_MOST_OPERANDS = 3000
"""libcst nests each `or` in the next, and ends the process when they are some ten thousand."""


class Engine:
    """Checks files one by one; keeps the project, which they share, between them."""

    def __init__(self, settings: Settings, *, use_cache: bool = True) -> None:
        self._settings = settings
        folder = settings.root / CACHE_FOLDER if use_cache else None
        self._modules = Modules(_source_roots(settings), FactsCache(folder), settings.root)
        self._results = ResultsCache(folder, settings, self._modules.places)
        self._resolver = Resolver(self._modules)
        self._vocabulary = Vocabulary(settings.vocabulary)
        self._traits = TraitsDetector(settings)
        self._set_aside = 32

    def check(
        self, source: Source, codes: Collection[str], tree: ast.Module | None = None
    ) -> list[Finding]:
        """All findings of the rules `codes` in one file, sorted by position.

        What could not be analysed gives LCX000. Suppression is not applied.
        """
        module = self._modules.of_source(source)
        traits = self._traits.of_file(source.path, source.text)
        key = self._results.key(module, source, codes, traits)
        known = self._results.load(key, source.path)
        if known is not None:
            return known
        trace = self._modules.trace
        trace.used = []
        try:
            with _garbage_collection_off():
                tree = tree or source.parse()
                module.file.learn(tree)
                file = File(
                    source,
                    tree,
                    module,
                    self._resolver,
                    self._vocabulary,
                    traits,
                    self._settings,
                )
                rules = [r for r in RULES if r.code in codes and _applies(r, traits)]
                found = [
                    finding for unit in units(file, tree) for finding in _check_unit(unit, rules)
                ]
        except Unreadable as error:
            found = [not_analysed(source.path, str(error), error.line)]
        except TooSlow:
            # Stopped in the middle of a question, whose answer is half made.
            self._resolver = Resolver(self._modules)
            raise
        findings = sorted(found, key=lambda each: (each.span, each.code))
        parts = [part for part in trace.parts() if part.place is not module.file]
        self._results.store(key, findings, parts)
        self._set_facts_aside()
        return findings

    def _set_facts_aside(self) -> None:
        """Keep facts out of garbage collections, each of which would look at all of them.

        flake8 runs many while it works on a file. Done again whenever the facts have doubled.
        """
        if self._modules.loaded > 2 * self._set_aside and gc.isenabled():
            self._set_aside = self._modules.loaded
            gc.collect()
            gc.freeze()


def _source_roots(settings: Settings) -> tuple[Path, ...]:
    named = [settings.root / root for root in settings.source_roots]
    return (*named, settings.root / "src", settings.root)


def _applies(rule: Rule, traits: Traits) -> bool:
    return {
        Applies.ALWAYS: True,
        Applies.THREAD_LOCAL: traits.storage is Storage.THREAD_LOCAL,
        Applies.CONTEXTVAR: traits.storage is Storage.CONTEXTVAR,
        Applies.TWISTED: traits.uses_twisted,
    }[rule.applies]


def _check_unit(unit: Unit, rules: list[Rule]) -> list[Finding]:
    try:
        wanted = [rule for rule in rules if rule.screen(unit)]
        if not wanted:
            return []
        if sum(len(node.values) for node, _ in unit.nodes(ast.BoolOp)) > _MOST_OPERANDS:
            raise RecursionError
        context = _parse(unit)
        visitors = [rule.visitor(context) for rule in wanted]
        _visit(context.module, visitors)
        return context.findings
    except (cst.ParserSyntaxError, cst.CSTValidationError) as error:
        reason = str(getattr(error, "message", error)).splitlines()[0]
        return [not_analysed(unit.file.source.path, f"libcst: {reason}", unit.first_line)]
    except RecursionError:
        return [not_analysed(unit.file.source.path, "nested too deeply", unit.first_line)]


def _parse(unit: Unit) -> RuleContext:
    """Parse one unit alone. Under an `if 1:` it keeps its indentation and so its columns."""
    indented = unit.text.lstrip("\f")[:1] in (" ", "\t")
    module = cst.parse_module("if 1:\n" + unit.text if indented else unit.text)
    positions = _Positions().of(module)
    return RuleContext(unit, module, positions, unit.first_line - 1 - indented)


class _Positions(PositionProvider):
    """Positions without a MetadataWrapper, which would copy and visit the whole tree besides."""

    def of(self, module: cst.Module) -> Mapping[cst.CSTNode, CodeRange]:
        self._gen_impl(module)
        return cast(Mapping[cst.CSTNode, CodeRange], self._computed)


def _visit(module: cst.Module, visitors: list[RuleVisitor]) -> None:
    """One walk over a unit for the visitors of all rules."""
    handlers: dict[type[cst.CSTNode], list[Callable[[cst.CSTNode], object]]] = {}
    for node in all_code(module):
        wanted = handlers.get(type(node))
        if wanted is None:
            name = f"visit_{type(node).__name__}"
            wanted = [getattr(each, name) for each in visitors if name in _own_methods(type(each))]
            handlers[type(node)] = wanted
        for handler in wanted:
            handler(node)


def _own_methods(visitor: type) -> set[str]:
    """What a visitor class defines itself: libcst's base has a no-op for every node type."""
    return {
        name
        for cls in visitor.__mro__
        if cls.__module__.startswith("logctx_lint")
        for name in vars(cls)
    }


@contextmanager
def _garbage_collection_off() -> Iterator[None]:
    """Trees are many objects that all live; looking for cycles among them costs twice the parse."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
