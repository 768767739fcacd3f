"""How many awaited calls of a package the resolver recognises as awaitable, and how fast.

Whoever wrote `await f()` says that `f()` is awaitable: a call that is not recognised is one whose
forgotten `await` goes unnoticed. So it is with `yield f()` under `@inlineCallbacks`, though what is
yielded there may be a plain value. Usage: ``python bench/awaits.py FOLDER [--missed 20]``.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import gc
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from logctx_lint.analysis.units import File, units
from logctx_lint.config.role_lookup import Vocabulary
from logctx_lint.config.settings import Framework, Storage
from logctx_lint.config.value_kinds import CLASSES
from logctx_lint.inference.resolver import Resolver
from logctx_lint.inference.summaries import Summaries
from logctx_lint.inference.types import Certainty
from logctx_lint.inference.use_def import Scope
from logctx_lint.project.facts_cache import FactsCache
from logctx_lint.project.frameworks import Traits
from logctx_lint.project.modules import Modules
from logctx_lint.syntax.source import Source, Unreadable

_AWAITABLE = (Certainty.YES, Certainty.LIKELY, Certainty.SOME)
_ANY_TRAITS = Traits(Framework.BOTH, Storage.CONTEXTVAR)


@dataclass
class Tally:
    asked: Counter[str] = field(default_factory=Counter)
    """How many calls stand behind which word."""
    missed: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    facts: float = 0.0
    """CPU seconds to read every file and extract its facts."""
    inference: float = 0.0
    """CPU seconds spent on the questions alone."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="a package")
    parser.add_argument("--missed", type=int, default=0, help="show as many calls that were missed")
    parser.add_argument("--hints", default={}, type=CLASSES.read, help="as the setting has them")
    options = parser.parse_args()
    gc.disable()
    tally = measure(options.folder, options.hints)
    shares = [
        f"{1 - len(tally.missed[word]) / count:.2%} of {count} calls behind {word}"
        for word, count in tally.asked.items()
    ]
    print(
        f"{options.folder.name}: recognised {', '.join(shares)};"
        f" CPU seconds: {tally.facts:.2f} for facts, {tally.inference:.2f} for inference"
        f" ({tally.inference / max(tally.asked.total(), 1) * 1e6:.0f} µs a call)"
    )
    for missed in tally.missed.values():
        shown = random.Random(0).sample(missed, min(options.missed, len(missed)))
        print("\n".join(sorted(shown)))


def measure(folder: Path, hints: Mapping[str, str]) -> Tally:
    """Ask about every awaited call in a folder, with one resolver for all of it."""
    tally = Tally()
    modules = Modules((), FactsCache(None))
    resolver = Resolver(modules, hints)
    started = time.process_time()
    sources = list(_load(folder, modules))
    tally.facts = time.process_time() - started
    vocabulary = Vocabulary({})
    summaries = Summaries(resolver, vocabulary)
    for source in sources:
        tree = source.parse()
        module = modules.of_source(source)
        file = File(tree, module, resolver, vocabulary, summaries, _ANY_TRAITS)
        for word, call, scope in awaited_calls(file):
            started = time.process_time()
            certainty = resolver.awaitability(resolver.type_of(call, scope)).certainty
            tally.inference += time.process_time() - started
            tally.asked[word] += 1
            if certainty not in _AWAITABLE:
                place = f"{source.path.relative_to(folder)}:{call.lineno}"
                text = f"{place}: {word} {ast.unparse(call)[:90]} ({certainty.value})"
                tally.missed[word].append(text)
    return tally


def _load(folder: Path, modules: Modules) -> Iterator[Source]:
    for path in sorted(folder.rglob("*.py")):
        with contextlib.suppress(Unreadable):
            source = Source.read(path)
            modules.of_source(source).file.learn()
            yield source


def awaited_calls(file: File) -> Iterator[tuple[str, ast.Call, Scope]]:
    """Every call right behind an `await` or awaiting `yield`, and the scope it is read in."""
    for unit in units(file, file.tree):
        for awaiting, scope in unit.nodes(ast.Await):
            if isinstance(awaiting.value, ast.Call):
                yield "await", awaiting.value, scope
        for yielding, scope in unit.nodes(ast.Yield):
            if isinstance(yielding.value, ast.Call) and _awaits_by_yield(scope):
                yield "yield", yielding.value, scope


def _awaits_by_yield(scope: Scope) -> bool:
    decorators = scope.function.facts.decorators if scope.function else ()
    return any("inlineCallbacks" in decorator for decorator in decorators)


if __name__ == "__main__":
    main()
