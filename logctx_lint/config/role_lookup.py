"""The vocabulary of a project, built-in and its own: which roles does a callee have?"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import translate

from logctx_lint.config.log_context_names import RUNTIME
from logctx_lint.config.roles import Role
from logctx_lint.config.vocabulary import BUILT_IN


class _BareNames(dict[str, bool]):
    """Which last names some roles have; each name is matched once."""

    def __init__(self, vocabulary: Vocabulary, roles: frozenset[Role]) -> None:
        self._names = frozenset(name for role in roles for name in vocabulary.bare_names(role))
        globs = filter(_is_glob, sorted(self._names))
        self._globs = re.compile("|".join(map(translate, globs)) or r"(?!)")

    def __missing__(self, name: str) -> bool:
        found = self[name] = name in self._names or self._globs.match(name) is not None
        return found


_NONE = frozenset[Role]()


class Vocabulary:
    """Answers which roles a callee has, given the qualified names it is known by."""

    def __init__(
        self, additions: Mapping[Role, tuple[str, ...]], runtime_copies: tuple[str, ...] = ()
    ) -> None:
        copied = {role: tuple(_copied(names, runtime_copies)) for role, names in BUILT_IN.items()}
        self._tables = (additions, copied, BUILT_IN)
        self._runtimes = (*runtime_copies, RUNTIME)
        self._exact: dict[str, set[Role]] = {}
        self._known: dict[str, frozenset[Role]] = {}
        self._bare: dict[frozenset[Role], _BareNames] = {}
        globs: list[tuple[str, Role]] = []
        for table in self._tables:
            for role, patterns in table.items():
                for pattern in patterns:
                    if _is_glob(pattern):
                        globs.append((pattern, role))
                    else:
                        self._exact.setdefault(pattern, set()).add(role)
        self._globs = _Globs(globs)

    def names_of(self, role: Role) -> Iterator[str]:
        """The names of a role that are written out, the project's own first."""
        for table in self._tables:
            yield from (name for name in table.get(role, ()) if not _is_glob(name))

    def playing(self, roles: frozenset[Role]) -> Mapping[str, bool]:
        """Whether something of a last name has one of these roles, whatever name it is."""
        known = self._bare.get(roles)
        if known is None:
            known = self._bare[roles] = _BareNames(self, roles)
        return known

    def has_bare_name(self, name: str, roles: frozenset[Role]) -> bool:
        """Whether something of this last name has one of these roles."""
        return self.playing(roles)[name]

    def bare_names(self, role: Role) -> frozenset[str]:
        """The last names of what has a role, globs among them."""
        return frozenset(
            each.rpartition(".")[2] for table in self._tables for each in table.get(role, ())
        )

    def runtime_of(self, name: str) -> str | None:
        """The package of the reference runtime, or of a copy of it, that a name belongs to."""
        return next((each for each in self._runtimes if name.startswith(f"{each}.")), None)

    def roles(self, names: Iterable[str]) -> frozenset[Role]:
        return _NONE.union(*map(self._roles_of, names))

    def _roles_of(self, name: str) -> frozenset[Role]:
        known = self._known.get(name)
        if known is None:
            found = {*self._exact.get(name, ()), *self._globs.roles(name)}
            known = self._known[name] = frozenset(found)
        return known


class _Globs:
    """Roles by globs. Most globs begin or end with a whole part of a dotted name.

    Those are only tried on names that begin or end so, too.
    """

    def __init__(self, globs: Iterable[tuple[str, Role]]) -> None:
        self._ending: dict[str, list[tuple[re.Pattern[str], Role]]] = defaultdict(list)
        self._beginning: dict[str, list[tuple[re.Pattern[str], Role]]] = defaultdict(list)
        others: dict[Role, list[str]] = defaultdict(list)
        for glob, role in globs:
            # Brackets may hold a dot.
            first, last = _ends(glob) if "[" not in glob else ("", "")
            if last and not _is_glob(last):
                self._ending[last].append((re.compile(translate(glob)), role))
            elif first and not _is_glob(first):
                self._beginning[first].append((re.compile(translate(glob)), role))
            else:
                others[role].append(_anywhere(glob))
        self._others = [(re.compile("|".join(each)), role) for role, each in others.items()]

    def roles(self, name: str) -> set[Role]:
        first, last = _ends(name)
        found = {role for pattern, role in self._others if pattern.search(name)}
        for table in (self._beginning.get(first, ()), self._ending.get(last, ())):
            found.update(role for pattern, role in table if pattern.match(name))
        return found


def _anywhere(glob: str) -> str:
    """A pattern to search for, which is faster than one that begins with anything."""
    inner = re.sub(r"\\[Zz]$", "", translate(glob.strip("*")))
    start = "" if glob.startswith("*") else r"\A"
    return start + inner + ("" if glob.endswith("*") else r"\Z")


def _ends(name: str) -> tuple[str, str]:
    """The first and the last part of a dotted name; empty where it has only one."""
    return name.partition(".")[0] if "." in name else "", name.rpartition(".")[2]


def _copied(names: tuple[str, ...], copies: tuple[str, ...]) -> Iterator[str]:
    """What the names of the reference runtime are in a project's copies of it."""
    for name in names:
        if name.startswith(f"{RUNTIME}."):
            yield from (f"{copy}{name[len(RUNTIME) :]}" for copy in copies)


def _is_glob(pattern: str) -> bool:
    return any(character in pattern for character in "*?[")
