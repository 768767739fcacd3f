"""How many awaited calls of a package the resolver recognises as awaitable, and how fast.

Whoever wrote `await f()` says that `f()` is awaitable: a call that is not recognised is one whose
forgotten `await` goes unnoticed. Usage: ``python bench/awaits.py FOLDER [--missed 20]``.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import gc
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from logctx_lint.project.cache import FactsCache
from logctx_lint.project.modules import Modules
from logctx_lint.project.resolver import Resolver
from logctx_lint.project.scopes import Comprehension, Scope
from logctx_lint.project.traits import Traits
from logctx_lint.project.types import Certainty
from logctx_lint.screen import File, units
from logctx_lint.settings import Framework, Storage
from logctx_lint.source import Source, Unreadable
from logctx_lint.vocabulary import Vocabulary

_AWAITABLE = (Certainty.YES, Certainty.SOME)
_ANY_TRAITS = Traits(Framework.BOTH, Storage.CONTEXTVAR)


@dataclass
class Tally:
    awaited: int = 0
    facts: float = 0.0
    """CPU seconds to read every file and extract its facts."""
    inference: float = 0.0
    """CPU seconds spent on the questions alone."""
    missed: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        return 1 - len(self.missed) / self.awaited if self.awaited else 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="a package")
    parser.add_argument("--missed", type=int, default=0, help="show as many calls that were missed")
    options = parser.parse_args()
    gc.disable()
    tally = measure(options.folder)
    print(
        f"{options.folder.name}: {tally.share:.2%} of {tally.awaited} awaited calls recognised;"
        f" CPU seconds: {tally.facts:.2f} for facts, {tally.inference:.2f} for inference"
        f" ({tally.inference / max(tally.awaited, 1) * 1e6:.0f} µs a call)"
    )
    shown = random.Random(0).sample(tally.missed, min(options.missed, len(tally.missed)))
    for missed in sorted(shown):
        print(missed)


def measure(folder: Path) -> Tally:
    """Ask about every awaited call in a folder, with one resolver for all of it."""
    tally = Tally()
    modules = Modules((), FactsCache(None))
    resolver = Resolver(modules)
    started = time.process_time()
    sources = list(_load(folder, modules))
    tally.facts = time.process_time() - started
    vocabulary = Vocabulary({})
    for source in sources:
        tree = source.parse()
        module = modules.of_source(source)
        file = File(source, tree, module, resolver, vocabulary, _ANY_TRAITS)
        for call, scope in awaited_calls(file):
            started = time.process_time()
            certainty = resolver.awaitability(resolver.type_of(call, scope)).certainty
            tally.inference += time.process_time() - started
            tally.awaited += 1
            if certainty not in _AWAITABLE:
                place = f"{source.path.relative_to(folder)}:{call.lineno}"
                tally.missed.append(f"{place}: {ast.unparse(call)[:90]} ({certainty.value})")
    return tally


def _load(folder: Path, modules: Modules) -> Iterator[Source]:
    for path in sorted(folder.rglob("*.py")):
        with contextlib.suppress(Unreadable):
            source = Source.read(path)
            modules.of_source(source)
            yield source


def awaited_calls(file: File) -> Iterator[tuple[ast.Call, Scope]]:
    """Every call that stands right behind an `await`, and the scope it is read in."""
    for unit in units(file, file.tree):
        for statement, scope in unit.statements:
            for child in ast.iter_child_nodes(statement):
                yield from _awaited(child, scope)


def _awaited(node: ast.AST, scope: Scope) -> Iterator[tuple[ast.Call, Scope]]:
    if isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
        return  # Statements come by themselves.
    if isinstance(node, ast.Await) and isinstance(node.value, ast.Call):
        yield node.value, scope
    inner = scope.child(node) if isinstance(node, ast.Lambda | Comprehension) else scope
    for child in ast.iter_child_nodes(node):
        yield from _awaited(child, inner)


if __name__ == "__main__":
    main()
