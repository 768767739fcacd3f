"""Does inference cost what the code is long? Generated programs of the kinds that make it explode.

Usage: ``python bench/inference.py [--sizes 25,50,100,200]`` prints, for each kind, how many
questions the resolver computed for each of the generated parts, and the CPU time of a file.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent
from typing import NamedTuple

from logctx_lint.config.codes import active_codes
from logctx_lint.config.settings import Settings
from logctx_lint.engine.engine import Engine
from logctx_lint.syntax.source import Source

_HEAD = "import asyncio\nfrom twisted.internet import defer\n\n\nasync def work(x): ...\n\n\n"


def rebinding_chain(size: int) -> str:
    """A name is bound again and again, by functions that learn from these calls what they get."""
    steps = "".join(
        f"""
    if peek(text) == {number}:
        text = text[1:]
        self.a{number}, text = word(text)
        self.b{number}, text = strings(text)
    text = text.lstrip()"""
        for number in range(size)
    )
    return f"""
def word(text):
    return text[:1], text[1:]

def peek(text):
    return text.split(b" ")[0]

def strings(text):
    found, text = word(text)
    return (found,), text

class Description:
    def parse(self, text):
{indent(dedent(steps), "        ")}
        work(self.a0)
"""


def mutual_recursion(size: int) -> str:
    """Functions that call each other all around, as those of a parser written by hand."""
    return (
        "\n".join(
            f"""
def rule{number}(state, depth):
    if depth:
        return rule{(number + 1) % size}(state, depth)
    found = rule{(number * 7 + 3) % size}(found_by(state), work(state))
    return found or rule{(number * 5 + 2) % size}(state, found)
"""
            for number in range(size)
        )
        + "\ndef found_by(state):\n    return rule0(state, 1)\n"
    )


def methods_of_each_other(size: int) -> str:
    """A class whose methods call each other, and hand on what they get."""
    methods = "\n".join(
        f"""
    def visit{number}(self, node):
        self.last{number} = self.visit{(number + 1) % size}(node)
        if node:
            return self.last{(number * 3 + 1) % size}
        return self.visit{(number * 7 + 2) % size}(self.last{number})
"""
        for number in range(size)
    )
    return f"class Visitor:\n    async def end(self): ...\n{methods}\n"


def wide_unions(size: int) -> str:
    """Any of many classes, whose methods give any of them again."""
    classes = "\n".join(
        f"class Choice{number}:\n"
        f"    def then(self, x):\n        return choose(x).then(x)\n"
        f"    async def run{number}(self): ...\n"
        for number in range(size)
    )
    choices = "".join(
        f"    if x == {number}:\n        return Choice{number}()\n" for number in range(size)
    )
    return f"""
{classes}
def choose(x):
{choices}
    return None

def use(x):
    choose(x).then(x).then(x).run0()
"""


def deep_hierarchy(size: int) -> str:
    """Classes that each inherit from the one before, and ask it by `super()`."""
    first = "class Level0:\n    def make(self, x):\n        return work(x)\n"
    others = "\n".join(
        f"class Level{number}(Level{number - 1}):\n"
        f"    def make(self, x):\n        self.made{number} = super().make(x)\n"
        f"        return self.made{number}\n"
        for number in range(1, size)
    )
    return f"{first}\n{others}\ndef use(x):\n    Level{size - 1}().make(x)\n"


def call_chain(size: int) -> str:
    """Functions that each call the next, a long way down."""
    functions = "\n".join(
        f"def step{number}(x):\n    y = step{number + 1}(x)\n    return y\n"
        for number in range(size)
    )
    return f"{functions}\ndef step{size}(x):\n    return work(x)\n\ndef use(x):\n    step0(x)\n"


KINDS: tuple[Callable[[int], str], ...] = (
    rebinding_chain,
    mutual_recursion,
    methods_of_each_other,
    wide_unions,
    deep_hierarchy,
    call_chain,
)


class Cost(NamedTuple):
    questions: int
    cpu: float
    """Seconds."""


def cost(text: str, folder: Path) -> Cost:
    """What it costs to check a file of this text, which is alone in a folder."""
    path = folder / "generated.py"
    path.write_text(_HEAD + text, "utf-8")
    settings = Settings(root=folder, time_limit=0)
    engine = Engine(settings, use_cache=False)
    started = time.process_time()
    engine.check(Source.read(path), active_codes(settings.enable))
    return Cost(engine.questions, time.process_time() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", default="25,50,100,200")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    print("| kind |" + "".join(f" {size} |" for size in sizes))
    print("|---|" + "---|" * len(sizes))
    for kind in KINDS:
        if options.only not in kind.__name__:
            continue
        print(f"| {kind.__name__.replace('_', ' ')} |", end="", flush=True)
        for size in sizes:
            with tempfile.TemporaryDirectory() as folder:
                found = cost(kind(size), Path(folder))
            print(f" {found.questions / size:.0f} a part, {found.cpu:.2f} s |", end="", flush=True)
        print()


if __name__ == "__main__":
    main()
