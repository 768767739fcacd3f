"""A graph of bare names: from which of them can an awaitable be reached?

A call of `x.send()` can only give an awaitable if something that is called `send` may: an
`async def`, a function whose annotation names an awaitable, or a class or alias that leads to one,
an attribute that holds such a function. Each file contributes edges from name to name
(`send Deferred`). A name from which no edges lead to an awaitable certainly gives none, and most
calls are ruled out so, without asking the resolver what the object is.

Where it is hard to tell there is an edge: the graph may have too many, never too few.
"""

from __future__ import annotations

import builtins
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property, lru_cache
from keyword import kwlist

from logctx_lint.incremental.dependencies import Place
from logctx_lint.project.facts import (
    OPAQUE,
    ClassFacts,
    FunctionFacts,
    ModuleFacts,
    VariableFacts,
)
from logctx_lint.syntax.source import Source, digest_of

ANYTHING = "*"
"""The target of the edge from a name that may be anything."""
_SEEDS = (
    ANYTHING,
    # What a call of these gives is up to their arguments.
    "cast", "assert_type", "type", "getattr",
    # What they stand for is up to the place.
    "Self", "Callable", "TypeVar", "ParamSpec", "TypeVarTuple",
)  # fmt: skip
_PLAIN = frozenset(
    {"None", "str", "int", "bool", "bytes", "float", "object", "Any", "Optional", "Union",
     "Literal", "dict", "list", "set", "tuple", "Dict", "List", "Set", "Tuple", "True", "False",
     "self", "cls"}
)  # fmt: skip
"""Words of annotations and values that say nothing of awaitables."""
_BUILTINS = frozenset(dir(builtins))
PLAIN_BUILTINS = _BUILTINS - {"anext", "getattr", "max", "min", "next", "sum", "type"}
"""All but those that may hand through what they are given."""
_KEYWORDS = frozenset(kwlist)
INLINE_CALLBACKS = frozenset({"inlineCallbacks", "inline_callbacks"})
"""What a decorator is called that makes a Deferred of a generator, whoever made it."""
CALLED_FOR = ("__call__", "__get__", "__new__")
"""Methods that say what comes of calling an object, or of having it as an attribute."""
ITERATED_FOR = ("__iter__", "__next__", "__aiter__", "__anext__", "__getitem__")
"""Methods that say what is in an object."""
WORD = re.compile(r"[^\W\d]\w*")
_SUBSCRIPTED = re.compile(r"[\w.]+\[")
_STRING = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")
_IN_VALUE = re.compile(r"(\.\s*)?\b([^\W\d]\w*)\b(?!\s*=[^=])")
"""A word of an expression, unless it names an argument, and what says that it is an attribute."""
_RETURNS = re.compile(r"\breturn\b(?!\s*(?:None|True|False)?\s*(?:#.*)?$)", re.MULTILINE)
# Each begins with letters, which `re` finds many times faster than the beginning of a line.
_DEFINED = (re.compile(r"def[ \t]+(\w+)"), re.compile(r"class[ \t]+(\w+)"))
_FROM = re.compile(r"from[ \t]+([\w.]+)[ \t]+import\b")
_IMPORTED = re.compile(r"import[ \t]+([^#\n;]+)")


def name_edges(source: Source, facts: ModuleFacts) -> set[str]:
    """The edges of one file, each as two names with a blank between them."""
    found: set[str] = set()
    described: Counter[str] = Counter()
    for name, imports in facts.imports.items():
        others = {each.name for each in imports} - {"", name}
        found.update(f"{at}{name} {at}{other}" for other in others for at in ("", "@"))
    places: list[ModuleFacts | ClassFacts] = [facts]
    for place in places:
        for cls in place.classes.values():
            places.append(cls)
            described[cls.name] += 1
            found.update(_class_edges(cls, facts, source))
        for name, functions in place.functions.items():
            described[name] += len(functions)
            for function in functions:
                found.update(_function_edges(function, source))
        for name, variables in place.variables.items():
            if not variables[0].method:
                found.add(f"@{name} {name}")
            for variable in variables:
                found.update(f"{name} {word}" for word in _of_variable(variable, place, facts))
    # Inside functions anything may be defined.
    defined = Counter[str]()
    for pattern in _DEFINED:
        defined.update(_at_beginnings(pattern, source.text, ("", "async")))
    inside = defined - described
    return found | {f"{name} {ANYTHING}" for name in inside}


def _class_edges(cls: ClassFacts, facts: ModuleFacts, source: Source) -> Iterator[str]:
    yield f"@{cls.name} {cls.name}"
    yield from (f"{cls.name} {word}" for word in _of_class(cls, facts, source))
    yield from (f"{name} {ANYTHING}" for name in cls.type_parameters)


def _function_edges(function: FunctionFacts, source: Source) -> Iterator[str]:
    name = function.name
    if name != "__init__":
        yield from (f"{name} {word}" for word in _of_function(function, source))
    yield from (f"@{name} {word}" for word in _of_decorator(function))
    yield from (f"{each} {ANYTHING}" for each in function.type_parameters)


def imported(text: str, facts: ModuleFacts) -> set[str]:
    """The absolute names of what may be modules among all that a file imports."""
    found = set()
    for imports in facts.imports.values():
        for each in imports:
            found |= {each.module, f"{each.module}.{each.name}"} if each.name else {each.module}
    found.update(_at_beginnings(_FROM, text))
    for several in _at_beginnings(_IMPORTED, text):
        found.update(each.split()[0] for each in several.split(",") if each.split())
    return {name for name in found if name and not name.startswith(".")}


def _at_beginnings(
    pattern: re.Pattern[str], text: str, allowed: Collection[str] = ("",)
) -> Iterator[str]:
    """What a pattern finds where nothing but blanks and what is allowed stands before it."""
    for match in pattern.finditer(text):
        start = match.start()
        if text[text.rfind("\n", 0, start) + 1 : start].strip(" \t") in allowed:
            yield match[1]


def _of_class(cls: ClassFacts, facts: ModuleFacts, source: Source) -> Iterator[str]:
    members = (*cls.functions, *cls.variables)
    if "__await__" in members:
        yield ANYTHING
    yield from (name for name in CALLED_FOR if name in members)
    words = set().union(*map(words_of, cls.bases))
    for name in ITERATED_FOR:
        for function in cls.functions.get(name, ()):
            words |= words_of(function.returns)
            if not function.returns and _gives_something(function, source):
                yield ANYTHING
    for word in words:
        # What its type variables stand for is said wherever the class is used.
        if not any("TypeVar" in each.value for each in facts.variables.get(word, ())):
            yield word


def _of_function(function: FunctionFacts, source: Source) -> Iterator[str]:
    """The targets of the edges from the name of a function, for its result."""
    for decorator in function.decorators:
        yield from (f"@{word}" for word in words_of(decorator))
        if function.is_generator and not INLINE_CALLBACKS.isdisjoint(words_of(decorator)):
            yield ANYTHING
    if function.is_async and not function.is_generator:
        yield ANYTHING
    elif function.returns:
        yield from words_of(function.returns)
    elif _gives_something(function, source):
        yield ANYTHING


def _of_decorator(function: FunctionFacts) -> Iterator[str]:
    """The targets of the edges from a function as a decorator, for what it decorates."""
    if not function.returns:
        yield ANYTHING
        return
    # What gives back what it takes leads nowhere.
    if function.returns in {parameter.annotation for parameter in function.parameters}:
        return
    taken, _, given = function.returns.removeprefix("Callable[[").partition("], ")
    if f"{taken}]" != given:
        yield from words_of(function.returns)


def _gives_something(function: FunctionFacts, source: Source) -> bool:
    """Whether a function without annotation may return anything but None and the like."""
    if source.path.suffix == ".pyi":
        return False
    return bool(_RETURNS.search("".join(source.lines[function.line - 1 : function.end_line])))


def _of_variable(
    variable: VariableFacts, place: ModuleFacts | ClassFacts, facts: ModuleFacts
) -> Iterator[str]:
    words = words_of(variable.annotation)
    yield from words
    if words and not {"Final", "ClassVar", "TypeAlias"} & words:
        return
    if variable.value == OPAQUE:
        yield ANYTHING
        return
    if variable.value == "self" and isinstance(place, ClassFacts):
        yield place.name
    yield from _of_value(variable, place, facts)


def _of_value(
    variable: VariableFacts, place: ModuleFacts | ClassFacts, facts: ModuleFacts
) -> Iterator[str]:
    methods = place.functions.get(variable.method, ()) if variable.method else ()
    parameters = {each.name: each for method in methods for each in method.parameters}
    is_type = bool(_SUBSCRIPTED.match(variable.value))
    # `Union["Future[Any]", ...]` names what is in quotes, too.
    value = variable.value if is_type else _STRING.sub("", variable.value)
    for dot, word in _IN_VALUE.findall(value):
        if word in _PLAIN or word in _KEYWORDS:
            continue
        if word in parameters and not dot:
            annotation = parameters[word].annotation
            yield from words_of(annotation) if annotation else (ANYTHING,)
        else:
            # What a local name holds is written nowhere in the facts.
            is_local = not dot and variable.method and not _is_global(word, facts)
            yield ANYTHING if is_local else word


def _is_global(name: str, facts: ModuleFacts) -> bool:
    return (
        name in facts.imports
        or name in facts.functions
        or name in facts.classes
        or name in facts.variables
        or (name in _BUILTINS and not facts.stars)
    )


@lru_cache(maxsize=4096)
def words_of(text: str) -> frozenset[str]:
    """The names in an annotation or expression that may matter."""
    return frozenset(WORD.findall(text)) - _PLAIN


def leading_to_awaitables(pairs: Iterable[str], known: Collection[str] = ()) -> set[str]:
    """The names that lead to awaitables, by the edges `pairs`; `known` are some that do."""
    behind = defaultdict(list)
    for pair in pairs:
        one, _, other = pair.partition(" ")
        behind[other].append(one)
    names = {*_SEEDS, *known}
    waiting = list(names)
    while waiting:
        for one in behind.pop(waiting.pop(), ()):
            if one not in names:
                names.add(one)
                waiting.append(one)
    return names


class AwaitableNames(Place):
    """The names that lead to awaitables in some packages; a part is one name."""

    def __init__(self, name: str, ground: Iterable[Place], find: Callable[[], set[str]]) -> None:
        """`find` finds them, in what is said by the places of `ground`."""
        super().__init__(name)
        self.ground = tuple(sorted(ground, key=lambda place: place.name))
        self._find = find

    @cached_property
    def names(self) -> set[str]:
        return self._find()

    @cached_property
    def digest(self) -> str:
        said = "\0".join(f"{place.name} {place.digest}" for place in self.ground)
        return digest_of(said.encode("utf-8", "surrogatepass"))

    def says(self, part: str) -> str:
        return str(part in self.names)
