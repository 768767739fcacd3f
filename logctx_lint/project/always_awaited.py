"""Callees whose calls a file awaits everywhere but in one place, found in its text.

Of an object of unknown type nothing else may be known. Where `session.call(...)` is awaited again
and again, and once it is not, that was very likely forgotten.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from logctx_lint.project.awaitable_names import INLINE_CALLBACKS
from logctx_lint.project.text_index import functions_around, is_asynchronous

_CALL = r"\s+((?:\w+\.)*\w+)\("
_AWAITED = re.compile(rf"\b(await){_CALL}")
_AWAITED_OR_YIELDED = re.compile(rf"\b(await|yield){_CALL}")
_PARENTHESES = re.compile(r"[()]")
_LONGEST_CALL = 2000
_LEAST = 3
"""Calls that are awaited, to be what the file always does."""
_MOST_OTHERS = 1
"""Calls that are not: the one that is asked about."""
_BEGINNING = re.compile(r"[\w.]*\Z")
_LAST_WORD = re.compile(r"(\w+|.)\Z")
_TAKERS = frozenset({*"([{,", "await", "yield", "return", "def", "lambda"})
"""What stands before a call whose value goes to somebody who may await it, or that is none."""


class AlwaysAwaited(NamedTuple):
    """The last names of what is so called, with those of the object: `session.call`."""

    everywhere: frozenset[str] = frozenset()
    """By `await`, or by `yield` as under `@inlineCallbacks`."""
    by_await: frozenset[str] = frozenset()
    """Those of them that are awaited at least once by `await`: generators yield, too."""


def path_of(callee: str) -> str:
    """What is called, by its last names: `self.file.read` is `file.read`, `x.file.read` itself."""
    parts = callee.split(".")
    return ".".join(parts[1:] if len(parts) == 3 and parts[0] in ("self", "cls") else parts[-3:])


def always_awaited(text: str) -> AlwaysAwaited:
    """What a text always awaits."""
    is_inlined = any(name in text for name in INLINE_CALLBACKS)
    pattern = _AWAITED_OR_YIELDED if is_inlined else _AWAITED
    counts = Counter[str]()
    by_await: set[str] = set()
    for found in pattern.finditer(text):
        if not _goes_on(text, found.end()):
            path = path_of(found[2])
            counts[path] += 1
            if found[1] == "await":
                by_await.add(path)
    usual = [path for path, count in counts.items() if count >= _LEAST]
    everywhere = frozenset(usual) - _mixed(text, usual)
    return AlwaysAwaited(everywhere, everywhere & by_await)


def _mixed(text: str, paths: list[str]) -> set[str]:
    """The paths of which too many calls are not awaited where they could be."""
    plain: list[tuple[int, str]] = []
    for path in paths:
        starts = [start for start, inside in _calls(text, path) if _is_plain(text, start, inside)]
        if len(starts) > _MOST_OTHERS:
            plain += [(start, path) for start in starts]
    heads = functions_around(text, [start for start, _ in plain]) if plain else ()
    others = Counter(
        path
        for (_, path), head in zip(plain, heads, strict=False)
        if head is not None and is_asynchronous(head)
    )
    return {path for path, count in others.items() if count > _MOST_OTHERS}


def _goes_on(text: str, start: int) -> bool:
    """Whether it is not the call that is awaited, but something of what it gives: `f().g()`."""
    depth = 1
    for found in _PARENTHESES.finditer(text, start, start + _LONGEST_CALL):
        depth += 1 if found[0] == "(" else -1
        if not depth:
            return text[found.end() : found.end() + 1] in (".", "(", "[")
    return True


def _calls(text: str, path: str) -> Iterator[tuple[int, int]]:
    """Where each call of what is so called begins, and where its arguments do."""
    called, depth = f"{path}(", path.count(".")
    # Several times as fast as a pattern that has to look behind.
    at = text.find(called)
    while at >= 0:
        before, inside = text[at - 1 : at], at + len(called)
        if before.isalnum() or before == "_":
            at = text.find(called, at + 1)
            continue
        beginning = _BEGINNING.search(text, text.rfind("\n", 0, at) + 1, at)
        if beginning and _is_left_out(beginning[0], depth):
            yield beginning.start(), inside
        at = text.find(called, inside)


def _is_left_out(before: str, depth: int) -> bool:
    """Whether `path_of` leaves out what stands before a path of some dots, if anything does."""
    return not before or depth == 2 or (depth == 1 and before in ("self.", "cls."))


def _last_before(text: str, place: int) -> str:
    """The last character before a place that is no space."""
    while place and text[place - 1].isspace():
        place -= 1
    return text[place - 1 : place] if place else ""


def _is_plain(text: str, start: int, inside: int) -> bool:
    """Whether the value of a call is dropped, or used where it stands; not so of comments."""
    line = text[text.rfind("\n", 0, start) + 1 : start]
    if "#" in line:
        return False
    before = line.rstrip() or _last_before(text, start)
    word = _LAST_WORD.search(before)
    is_handed_on = word is not None and word[1] in _TAKERS
    # What a colon ends on the line before is a statement's head.
    is_handed_on |= bool(line.strip()) and before.endswith(":")
    return not is_handed_on or (word is not None and word[1] != "def" and _goes_on(text, inside))
