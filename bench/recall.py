"""How many seeded bugs the rules catch, on the code of any package.

Each bug is one edit of the package: an `await` or a handler removed, a function called where it was
handed to a background starter. It is caught when a finding about awaiting or cancelling is new
in the function that was edited. All of it happens on a copy in a temporary folder, and edited
texts never touch a disk. Usage::

    python bench/recall.py FOLDER [--edits await,assigned] [--number 200] [--seed 0] [--missed 20]
    python bench/recall.py FOLDER --edits await --strip-annotations
    python bench/recall.py FOLDER --environment .venv

FOLDER is a package. At most `--number` places are tried for each edit, drawn by `--seed`;
`--missed` shows as many of those that go unnoticed. With `--strip-annotations`, all annotations
are removed first, and every edit is made in code without any. An edited file is checked by the
engine that has checked the file as it was: only what other files infer of it may be out of date.
"""

from __future__ import annotations

import argparse
import ast
import gc
import os
import random
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path

from logctx_lint.config.codes import active_codes
from logctx_lint.config.settings import Settings
from logctx_lint.engine.engine import Engine
from logctx_lint.syntax.source import Source, Unreadable

CODES = frozenset(code for code in active_codes(()) if code[3] in "123")
"""Of the rules about awaiting and cancelling."""
_STARTERS = frozenset({"run_in_background"})
_YIELDABLE = frozenset({"make_deferred_yieldable"})
_SHIELDS = frozenset({"stop_cancellation", "delay_cancellation"})
_UNWRAPPERS = frozenset({"unwrapFirstError"})
_BROAD = frozenset({"Exception", "BaseException", ""})
_IMPORTED = re.compile(rb"from asyncio(\.exceptions)? import .*CancelledError")
_ATOMS = (ast.Name, ast.Attribute, ast.Call, ast.Subscript)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


_Located = ast.expr | ast.stmt | ast.ExceptHandler


@dataclass(frozen=True)
class Change:
    """One edit: the bytes from `start` to `end` become `text`."""

    node: _Located
    start: int
    end: int
    text: str

    @property
    def line(self) -> int:
        return self.node.lineno


class Code:
    """A text and where its nodes stand in it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.tree = source.parse()

    @cached_property
    def data(self) -> bytes:
        return self.source.text.encode()

    @cached_property
    def _lines(self) -> list[int]:
        return [0, *accumulate(len(line.encode()) for line in self.source.lines)]

    def start(self, node: _Located) -> int:
        return self._lines[node.lineno - 1] + node.col_offset

    def end(self, node: _Located) -> int:
        return self._lines[(node.end_lineno or 1) - 1] + (node.end_col_offset or 0)

    def text(self, start: int, end: int) -> str:
        return self.data[start:end].decode()

    def changed(self, change: Change) -> Source:
        before, after = self.data[: change.start], self.data[change.end :]
        text = (before + change.text.encode() + after).decode()
        return Source(self.source.path, text)

    def without_word(self, node: ast.expr) -> Change:
        """`await f()` or `yield f()` as `f()`."""
        start = self.start(node)
        word = re.compile(rb"(await|yield)\s*").match(self.data, start)
        assert word
        return Change(node, start, word.end(), "")

    def reduced(self, node: ast.expr, inner: ast.expr) -> Change:
        """`node` with nothing left of it but `inner`; lines stay where they are."""
        start, end = self.start(node), self.end(node)
        above = "\n" * (inner.lineno - node.lineno)
        below = "\n" * ((node.end_lineno or 0) - (inner.end_lineno or 0))
        text = above + self.text(self.start(inner), self.end(inner)) + below
        is_atom = isinstance(inner, _ATOMS) and not above + below
        return Change(node, start, end, text if is_atom else f"({text})")


# The edits


def _await(node: ast.AST, code: Code, _: bool) -> Iterator[Change]:
    match node:
        case ast.Expr(ast.Await(ast.Call()) as value):
            yield code.without_word(value)


def _assigned(node: ast.AST, code: Code, _: bool) -> Iterator[Change]:
    match node:
        case ast.Assign([target], ast.Await(ast.Call()) as value) if _is_local(target):
            yield code.without_word(value)
        case ast.AnnAssign(ast.Name(), _, ast.Await(ast.Call()) as value):
            yield code.without_word(value)


def _stored(node: ast.AST, code: Code, _: bool) -> Iterator[Change]:
    match node:
        case ast.Assign([target], ast.Await(ast.Call()) as value) if not _is_local(target):
            yield code.without_word(value)
        case ast.AnnAssign(ast.Attribute(), _, ast.Await(ast.Call()) as value):
            yield code.without_word(value)


def _is_local(target: ast.expr) -> bool:
    return isinstance(target, ast.Name | ast.Tuple | ast.List)


def _yield(node: ast.AST, code: Code, inlined: bool) -> Iterator[Change]:
    match node:
        case ast.Expr(ast.Yield(ast.Call()) as value) if inlined:
            yield code.without_word(value)


def _yield_assigned(node: ast.AST, code: Code, inlined: bool) -> Iterator[Change]:
    match node:
        case ast.Assign(_, ast.Yield(ast.Call()) as value) if inlined:
            yield code.without_word(value)


def _called(node: ast.AST, code: Code, _: bool) -> Iterator[Change]:
    match node:
        case ast.Expr(ast.Call(func, [_, *_]) as call) if _name(func) in _STARTERS:
            yield _call_of_started(call, code)


def _called_and_kept(node: ast.AST, code: Code, _: bool) -> Iterator[Change]:
    if not isinstance(node, ast.Expr):
        for child in ast.iter_child_nodes(node):
            match child:
                case ast.Call(func, [_, *_]) if _name(func) in _STARTERS:
                    yield _call_of_started(child, code)


def _call_of_started(call: ast.Call, code: Code) -> Change:
    """`run_in_background(f, x)` as `f(x)`."""
    function = call.args[0]
    start, end = code.start(function), code.end(function)
    called = code.text(start, end)
    if not isinstance(function, _ATOMS):
        called = f"({called})"
    arguments = ")"
    if call.args[1:] or call.keywords:
        arguments = code.text(code.data.index(b",", end) + 1, code.end(call))
    return Change(call, code.start(call), code.end(call), f"{called}({arguments.lstrip(' ')}")


def _handler(node: ast.AST, code: Code, _: bool) -> Iterator[Change]:
    """Where a later handler would catch the cancellation instead."""
    if not isinstance(node, ast.Try):
        return
    for index, handler in enumerate(node.handlers):
        later = node.handlers[index + 1 :]
        if _lets_out(handler) and any(_catches_it(each, handler, code) for each in later):
            lines = (handler.end_lineno or handler.lineno) - handler.lineno
            yield Change(handler, code.start(handler), code.end(handler), "\n" * lines)


def _raise(node: ast.AST, code: Code, _: bool) -> Iterator[Change]:
    if isinstance(node, ast.ExceptHandler) and _lets_out(node):
        last = node.body[-1]
        yield Change(node, code.start(last), code.end(last), "pass")


def _unwrapper(node: ast.AST, code: Code, _: bool) -> Iterator[Change]:
    match node:
        case ast.Call(ast.Attribute(inner, "addErrback"), [link]) if _name(link) in _UNWRAPPERS:
            yield code.reduced(node, inner)


def _yieldable(node: ast.AST, code: Code, _: bool) -> Iterator[Change]:
    match node:
        case ast.Call(func, [inner], []) if _name(func) in _YIELDABLE:
            yield code.reduced(node, inner)


def _shield(node: ast.AST, code: Code, _: bool) -> Iterator[Change]:
    match node:
        case ast.Call(func, [inner], []) if _name(func) in _SHIELDS:
            yield code.reduced(node, inner)


def _name(node: ast.AST | None) -> str:
    return getattr(node, "attr", "") or getattr(node, "id", "")


def _lets_out(handler: ast.ExceptHandler) -> bool:
    """`except CancelledError: ... raise`"""
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    is_cancelled = any(_name(each) == "CancelledError" for each in caught)
    return is_cancelled and isinstance(handler.body[-1], ast.Raise) and not handler.body[-1].exc


def _catches_it(later: ast.ExceptHandler, handler: ast.ExceptHandler, code: Code) -> bool:
    """Whether a later handler catches the cancellation, too; asyncio's is no `Exception`."""
    caught = later.type.elts if isinstance(later.type, ast.Tuple) else [later.type]
    names = {_name(each) for each in caught}
    is_asyncio = (handler.type and "asyncio" in ast.unparse(handler.type)) or _IMPORTED.search(
        code.data
    )
    return not names.isdisjoint({"BaseException", ""} if is_asyncio else _BROAD)


EDITS: dict[str, tuple[str, Callable[[ast.AST, Code, bool], Iterator[Change]]]] = {
    "await": ("`await f()` loses `await`", _await),
    "assigned": ("`x = await f()` loses `await`", _assigned),
    "stored": ("`o.x = await f()`, `o[x] = await f()`", _stored),
    "yield": ("`yield f()` loses `yield`", _yield),
    "yield-assigned": ("`x = yield f()` loses `yield`", _yield_assigned),
    "called": ("`run_in_background(f, x)` becomes `f(x)`", _called),
    "called-and-kept": ("the same, where its result is used", _called_and_kept),
    "handler": ("`except CancelledError: raise` removed", _handler),
    "raise": ("its `raise` becomes `pass`", _raise),
    "unwrapper": ("`.addErrback(unwrapFirstError)` removed", _unwrapper),
    "yieldable": ("`make_deferred_yieldable(...)` removed", _yieldable),
    "shield": ("a cancellation shield removed", _shield),
}


# Places


def places(code: Code, edit: str) -> Iterator[tuple[Change, str]]:
    """Every place for an edit in the functions of a file, and the function that it is in."""
    change = EDITS[edit][1]
    stack: list[tuple[ast.AST, str, bool, bool]] = [(code.tree, "", False, False)]
    while stack:
        node, name, in_function, inlined = stack.pop()
        if in_function:
            yield from ((each, name) for each in change(node, code, inlined))
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.ClassDef, *_FUNCTIONS)):
                is_function = isinstance(child, _FUNCTIONS)
                full = f"{name}.{child.name}" if name else child.name
                yields = any(_is_inline_callbacks(each) for each in child.decorator_list)
                stack.append((child, full, is_function, is_function and yields))
            else:
                stack.append((child, name, in_function, inlined))


def _is_inline_callbacks(decorator: ast.expr) -> bool:
    return _name(decorator).lower() in ("inlinecallbacks", "inline_callbacks")


class _Stripper(ast.NodeTransformer):
    """Removes all annotations."""

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign([node.target], node.value), node)


def copy(folder: Path, to: Path, *, strip_annotations: bool) -> list[Path]:
    """Copy a package, and list its Python files; those that cannot be read are left out."""
    copied = []
    for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.pyi")]):
        try:
            source = Source.read(path)
            tree = source.parse()
        except Unreadable:
            continue
        is_stub = path.suffix == ".pyi"
        strip = strip_annotations and not is_stub
        text = ast.unparse(_Stripper().visit(tree)) if strip else source.text
        target = to / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="")
        if not is_stub:
            copied.append(target)
    return copied


# Measuring


@dataclass
class Tally:
    """What became of one edit."""

    places: int = 0
    tried: int = 0
    by: Counter[str] = field(default_factory=Counter)
    """How often each rule spoke."""
    missed: list[str] = field(default_factory=list)

    @property
    def caught(self) -> float:
        return 1 - len(self.missed) / self.tried if self.tried else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="a package")
    parser.add_argument("--edits", default=",".join(EDITS), help=f"of {', '.join(EDITS)}")
    parser.add_argument("--number", type=int, default=200, help="places to try for each edit")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--missed", type=int, default=0, help="show as many that go unnoticed")
    parser.add_argument("--strip-annotations", action="store_true")
    parser.add_argument("--environment", default="none", help="where dependencies are installed")
    options = parser.parse_args()
    edits = options.edits.split(",")
    if unknown := set(edits) - set(EDITS):
        parser.error(f"no such edit: {', '.join(sorted(unknown))}")
    gc.disable()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary).resolve()
        package = root / options.folder.resolve().name
        paths = copy(options.folder, package, strip_annotations=options.strip_annotations)
        settings = Settings(root, environment=os.path.abspath(options.environment))
        if options.environment == "none":
            settings = Settings(root)
        tallies = measure(settings, paths, edits, options.number, options.seed)
    print(f"{package.name}{' without annotations' if options.strip_annotations else ''}")
    for edit, tally in tallies.items():
        print(f"{EDITS[edit][0]:42} {_row(tally)}")
    for edit, tally in tallies.items():
        shown = random.Random(0).sample(tally.missed, min(options.missed, len(tally.missed)))
        for missed in sorted(shown):
            print(f"missed {edit}: {missed}")


def _row(tally: Tally) -> str:
    share = f"{tally.caught:.1%}" if tally.tried else "-"
    by = ", ".join(f"{code} {count}" for code, count in sorted(tally.by.items()))
    return f"{share:>6} of {tally.tried:3} tried in {tally.places:4} places  {by}".rstrip()


def measure(
    settings: Settings, paths: list[Path], edits: list[str], number: int, seed: int
) -> dict[str, Tally]:
    """Try at most `number` places of every edit in the files of a package below the root."""
    tallies = {edit: Tally() for edit in edits}
    all_places: dict[str, list[tuple[Path, int]]] = {edit: [] for edit in edits}
    for path in paths:
        code = Code(Source.read(path))
        for edit in edits:
            all_places[edit] += [(path, index) for index, _ in enumerate(places(code, edit))]
    chosen: dict[Path, list[tuple[str, int]]] = {}
    for edit, found in all_places.items():
        tallies[edit].places = len(found)
        for path, index in random.Random(seed).sample(found, min(number, len(found))):
            chosen.setdefault(path, []).append((edit, index))
    for path in sorted(chosen):
        # A new engine has read no text but the one on disk.
        trial = Trial(Code(Source.read(path)), Engine(settings), settings.root)
        for edit, index in sorted(chosen[path]):
            trial.seed(edit, index, tallies[edit])
    return tallies


class Trial:
    """One file and the bugs that are seeded in it, one at a time."""

    def __init__(self, code: Code, engine: Engine, root: Path) -> None:
        self._code = code
        self._engine = engine
        self._root = root
        self._places: dict[str, list[tuple[Change, str]]] = {}
        self._before = self._findings(code.source)

    def seed(self, edit: str, index: int, tally: Tally) -> None:
        """Try one place, and note what comes of it."""
        if edit not in self._places:
            self._places[edit] = list(places(self._code, edit))
        change, function = self._places[edit][index]
        speaking = {
            code
            for (code, name), count in self._findings(self._code.changed(change)).items()
            if count > self._before[code, name]
            and (name == function or name.startswith(f"{function}."))
        }
        tally.tried += 1
        tally.by.update(speaking)
        if not speaking:
            path = self._code.source.path.relative_to(self._root)
            shown = ast.unparse(change.node).replace("\n", " ")[:100]
            tally.missed.append(f"{path}:{change.line}: {function}: {shown}")

    def _findings(self, source: Source) -> Counter[tuple[str, str]]:
        return Counter((each.code, each.function) for each in self._engine.check(source, CODES))


if __name__ == "__main__":
    main()
