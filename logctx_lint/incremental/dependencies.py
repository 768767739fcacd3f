"""Dependencies of an answer: which parts of which files and folders were read for it.

Answers are remembered and come from other answers that were remembered before, so each keeps
what was used for it, and what it came from in the end is found by following that. Results that
are kept between runs are thus known to hold for as long as those parts say the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from logctx_lint.syntax.source import digest_of

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Place(ABC):
    """A file, a folder or something else that answers come from. Its parts change one by one."""

    def __init__(self, name: str, is_constant: bool = False) -> None:
        self.name = name
        """Relative to the project, so that it is the same on other machines."""
        self.is_constant = is_constant
        """Belongs to this program, and says the same as long as that is the same."""
        self.ground: tuple[Place, ...] = ()
        """Other places that all of it follows from, if it is not on disk itself."""
        self._parts: dict[str, Part] = {}
        self._digests: dict[tuple[str, ...], str] = {}

    def part(self, name: str) -> Part:
        found = self._parts.get(name)
        if found is None:
            found = self._parts[name] = Part(self, name)
        return found

    @property
    @abstractmethod
    def digest(self) -> str:
        """Of everything that the place says; while it is the same, so are all parts."""

    @abstractmethod
    def says(self, part: str) -> str:
        """What one part says, in any form that is the same exactly if that is the same."""

    def forget(self) -> None:
        """Another text has come in: what was said of the old one does not hold."""
        self.__dict__.pop("digest", None)
        self._digests.clear()

    def digest_of_parts(self, parts: tuple[str, ...]) -> str:
        found = self._digests.get(parts)
        if found is None:
            text = "\0".join(self.says(part) for part in parts)
            found = self._digests[parts] = digest_of(text.encode("utf-8", "surrogatepass"))
        return found


class Part:
    """One part of a place: there is one object for each."""

    __slots__ = ("matters", "name", "place")

    def __init__(self, place: Place, name: str) -> None:
        self.place = place
        self.name = name
        self.matters: bool = not place.is_constant
        """Whether it can ever say anything else."""


class Answer(Generic[T]):
    """A remembered value, and what was used to find it."""

    __slots__ = ("matters", "used", "value")

    def __init__(self, value: T, used: Iterable[Used]) -> None:
        self.value = value
        self.used = tuple([each for each in dict.fromkeys(used) if each.matters]) if used else ()
        self.matters: bool = bool(self.used)
        """Whether it came from anything but this program."""


Used = Part | Answer  # type: ignore[type-arg]


class Trace:
    """Takes down what is used for the question that is being answered."""

    def __init__(self, *, is_kept: bool = True) -> None:
        """`is_kept`: somebody will ask what answers came from."""
        self.used: list[Used] = []
        self._is_kept = is_kept

    def answered(self, value: T, used: Iterable[Used]) -> Answer[T]:
        """The answer for which some things were used."""
        return Answer(value, used if self._is_kept else ())

    def answer(self, compute: Callable[[], T]) -> Answer[T]:
        """The answer to a question inside the one that is being answered."""
        outer, self.used = self.used, []
        try:
            return self.answered(compute(), self.used)
        finally:
            self.used = outer

    @contextmanager
    def nothing(self) -> Iterator[None]:
        """Take down nothing: what is found is a place of its own, which parts are taken from."""
        outer, self.used = self.used, []
        try:
            yield
        finally:
            self.used = outer

    def parts(self) -> set[Part]:
        """The parts that everything in `used` came from in the end."""
        found: set[Part] = set()
        seen: set[Used] = {each for each in self.used if each.matters}
        stack = list(seen)
        while stack:
            item = stack.pop()
            if isinstance(item, Part):
                found.add(item)
                continue
            for inner in item.used:
                if inner not in seen:
                    seen.add(inner)
                    stack.append(inner)
        return found


class Answers(Generic[K, T]):
    """Answers to one sort of question, each found once."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._known: dict[K, Answer[T]] = {}

    def get(self, key: K, compute: Callable[[], T]) -> T:
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._trace.answer(compute)
        if known.matters:
            self._trace.used.append(known)
        return known.value

    def forget(self, key: K) -> None:
        """Drop an answer about something that is gone."""
        self._known.pop(key, None)
