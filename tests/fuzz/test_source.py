"""Whatever a file holds, checking and fixing it end well."""

from __future__ import annotations

import io
import random
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import strategies as st

from logctx_lint.config.codes import NOT_ANALYSED, OPT_IN
from logctx_lint.config.settings import Settings
from logctx_lint.engine.linter import Linter
from logctx_lint.engine.runner import linter
from logctx_lint.findings import Finding
from logctx_lint.fixes import apply
from logctx_lint.reporting.formats import FORMATS, writer
from logctx_lint.reporting.report import Report
from logctx_lint.syntax.source import Source, Unreadable, parses
from tests.support import harness

from .fuzzing import corpus, fuzzed

_FIXTURES = [path.read_text("utf-8") for path in harness.fixture_files()]
_LINES = [line for text in _FIXTURES for line in text.splitlines(keepends=True)]


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> Linter:
    opt_in = tuple(OPT_IN)
    root = tmp_path_factory.mktemp("project")
    return linter(Settings(root=root, enable=opt_in, time_limit=20), use_cache=False)


def _look_at(data: bytes, check: Linter) -> None:
    """All that is promised of any text."""
    try:
        source = Source.decode(Path("x.py"), data)
    except Unreadable:
        return
    found = check.check(source)
    for each in found:
        assert not _is_failure(each), each
        assert _is_inside(each, source), each
    compiles = _compiles(source.text)
    for unsafe in (False, True):
        fixed = apply.fix(source, check.check, unsafe=unsafe)
        assert not any(map(_is_failure, fixed.findings)), fixed.findings
        assert fixed.applied or fixed.source.text == source.text
        assert _compiles(fixed.source.text) or not compiles, fixed.source.text
        assert not apply.fix(fixed.source, check.check, unsafe=unsafe).applied
    for each in found:
        # Those, too, that only a person may choose.
        for fix in each.fixes:
            after, _ = apply.apply(source.text, [fix])
            assert _compiles(after) or not compiles, (fix, after)
    for write in map(writer, FORMATS):
        write(Report(found, {source.path: source}, files=1), io.StringIO())


def _is_failure(finding: Finding) -> bool:
    return (
        finding.code == NOT_ANALYSED
        and re.search("inside logctx-lint|takes more than", finding.message) is not None
    )


def _is_inside(finding: Finding, source: Source) -> bool:
    span, lines = finding.span, ["", *source.lines]
    return (
        1 <= span.line <= span.end_line < len(lines)
        and 0 <= span.column <= len(lines[span.line])
        and 0 <= span.end_column <= len(lines[span.end_line])
    )


def _compiles(text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(text, "x.py", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


@corpus("source")
def test_the_corpus(data: bytes, check: Linter) -> None:
    _look_at(data, check)


@st.composite
def _mutated(draw: st.DrawFn) -> str:
    """A fixture with pieces of it, or of another one, left out, doubled or moved."""
    text = draw(st.sampled_from(_FIXTURES))
    for _ in range(draw(st.integers(1, 4))):
        other = draw(st.sampled_from([text, draw(st.sampled_from(_FIXTURES))]))
        start = draw(st.integers(0, len(other)))
        piece = other[start : start + draw(st.integers(0, 80))]
        place = draw(st.integers(0, len(text)))
        text = text[:place] + piece + text[place + draw(st.integers(0, 40)) :]
    return text


@fuzzed(40, text=_mutated())
def test_mutations_of_fixtures(text: str, check: Linter) -> None:
    _look_at(text.encode(), check)


@st.composite
def _mixed(draw: st.DrawFn) -> str:
    """Lines from anywhere, in blocks that keep their indentation where that can be parsed."""
    text = draw(st.sampled_from(_FIXTURES))
    for line in draw(st.lists(st.sampled_from(_LINES), max_size=15)):
        for each in (line, line.lstrip()):
            if parses(text + each):
                text += each
                break
    return text


@fuzzed(30, text=_mixed())
def test_mixtures_of_lines(text: str, check: Linter) -> None:
    _look_at(text.encode(), check)


# Mutations of tokens and of the form of a text. Each takes a source of choices, too.

Mutation = Callable[[str, random.Random], str]
_WORDS = (
    *("await", "async", "yield", "yield from", "lambda: 0", "lambda *a: (yield)", "return", "del"),
    *("global g", "nonlocal g", "import a as b", "from . import *", "pass", "...", "raise", "a"),
    *("(", ")", "[", "]", "{", "}", ":", ":=", "=", ",", ".", "*", "**", "@", ";", "\\\n", "not"),
    *("x if y else z", "[await g() for g in h]", "f'{await g()}'", "f'{x!r:{y}}'", "'\\N{DASH}'"),
    *("0x_f", "1e999", "9" * 400, "b'\\xff'", "self", "None", "__debug__", "match", "case _"),
    *("try:", "except* E:", "finally:", "else:", "with a as b, c as d:", "async with a:"),
    *("async for x in y:", "for x in y:", "while 1:", "class C(C):", "def f(a, /, *, b=f()):"),
)  # fmt: skip
_NAMES = ("é", "变量", "ﬁ", "𐐀", "_", "__", "__a", "async_", "ª", "print", "self", "L" * 300)
_BEGINNINGS = (
    *("if 1:\n", "async def f():\n", "def f():\n", "class C:\n", "try:\n", "with a:\n"),
    *("for a in b:\n", "async def f():\n async with a, b:\n", "match a:\n case {**b}:\n"),
    *("@property\ndef f(self):\n", "async def f(self, *a, b: 'C' = lambda: 1, **c) -> 'D':\n"),
)  # fmt: skip


def _tokens(text: str) -> list[str]:
    """What a text is made of, with the space between."""
    return re.findall(r"\w+|\s+|[^\w\s]", text)


def _without_token(text: str, choice: random.Random) -> str:
    tokens = _tokens(text)
    del tokens[choice.randrange(len(tokens))]
    return "".join(tokens)


def _with_word(text: str, choice: random.Random) -> str:
    tokens = _tokens(text)
    place = choice.randrange(len(tokens))
    tokens[place : place + choice.randrange(3)] = [f" {choice.choice(_WORDS)} "]
    return "".join(tokens)


def _with_tokens_swapped(text: str, choice: random.Random) -> str:
    tokens = _tokens(text)
    here, there = choice.randrange(len(tokens)), choice.randrange(len(tokens))
    tokens[here], tokens[there] = tokens[there], tokens[here]
    return "".join(tokens)


def _with_other_names(text: str, choice: random.Random) -> str:
    names = [each for each in _tokens(text) if each.isidentifier()]
    if not names:
        return text
    return re.sub(rf"\b{choice.choice(names)}\b", choice.choice(_NAMES), text)


def _with_lines_changed(text: str, choice: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    here, there = sorted(choice.randrange(len(lines) + 1) for _ in range(2))
    block = lines[here:there]
    if choice.random() < 0.3:
        lines[here:there] = []
    elif choice.random() < 0.5:
        lines[there:there] = block
    else:
        indent = choice.choice([" ", "    ", "\t"])
        lines[here:there] = [choice.choice(_BEGINNINGS), *(indent + line for line in block)]
    return "".join(lines)


def _inside_blocks(text: str, choice: random.Random) -> str:
    """All of it, in up to ten blocks."""
    for _ in range(choice.randrange(10)):
        beginning = choice.choice(_BEGINNINGS)
        text = beginning + "".join(f"     {line}" for line in text.splitlines(keepends=True))
        text += "\n" + choice.choice(
            ["", "except E:\n pass\n", "finally:\n a()\n", "else:\n g()\n"]
        )
    return text


def _with_other_line_ends(text: str, choice: random.Random) -> str:
    ends = choice.choice(
        [["\r\n"], ["\r"], ["\r\n", "\n", "\r"], ["\n\f"], [" \\\n"], ["\n\n"], [";"]]
    )
    return re.sub("\n", lambda _: choice.choice(ends), text)


def _with_other_spaces(text: str, choice: random.Random) -> str:
    old, new = choice.choice(
        [("    ", "\t"), ("    ", " "), (" ", "  "), (" ", " \f"), (" = ", "="), (" ", " \\\n ")]
    )
    return text.replace(old, new)


def _with_comments(text: str, choice: random.Random) -> str:
    comment = choice.choice(
        ["# noqa", "# noqa: LCX101, LCX2", "# é 𐐀", "# type: ignore", "#\f", "#\0"]
    )
    return re.sub("\n", lambda _: choice.choice(["\n", f"  {comment}\n"]), text)


def _with_long_lines(text: str, choice: random.Random) -> str:
    return text.replace(
        "(", "(" + choice.choice([" " * 3_000, "'é' * 0, " * 300, "[" * 20 + "]" * 20 + ", "])
    )


def _cut_short(text: str, choice: random.Random) -> str:
    return text[: choice.randrange(len(text) + 1)].rstrip("\n")


_MUTATIONS: tuple[Mutation, ...] = (
    *(_without_token, _with_word, _with_tokens_swapped, _with_other_names, _with_lines_changed) * 3,
    *(_inside_blocks, _with_other_line_ends, _with_other_spaces, _with_comments, _with_long_lines),
    _cut_short,
)  # fmt: skip
_BEGINNINGS_OF_FILES = (
    "",
    "\ufeff",
    "\ufeff\ufeff",
    "\f",
    "#!/usr/bin/python\n",
    "\n\r\n",
    "'''d'''\n",
    "\\\n",
)


@st.composite
def _disfigured(draw: st.DrawFn) -> bytes:
    text = draw(st.sampled_from(_FIXTURES))
    choice = random.Random(draw(st.integers(0, 2**32)))
    for mutation in draw(st.lists(st.sampled_from(_MUTATIONS), min_size=1, max_size=6)):
        changed = mutation(text, choice) if text else ""
        # Most changes at random cannot be parsed, and then the rules see nothing.
        if changed and len(changed) < 200_000 and (parses(changed) or choice.random() < 0.1):
            text = changed
    text = choice.choice(_BEGINNINGS_OF_FILES) + text if choice.random() < 0.2 else text
    encoding = choice.choice(["utf-8"] * 5 + ["latin-1", "utf-16", "utf-7", "cp1252", "shift_jis"])
    head = f"# coding: {encoding}\n" if encoding != "utf-8" else ""
    return (head + text).encode(encoding, "replace")


@fuzzed(60, data=_disfigured())
def test_disfigured_fixtures(data: bytes, check: Linter) -> None:
    _look_at(data, check)


@fuzzed(
    60,
    data=st.binary(max_size=300)
    | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")),
)
def test_bytes(data: bytes, check: Linter) -> None:
    _look_at(data, check)
