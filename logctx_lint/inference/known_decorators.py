"""Decorators of the standard library that leave what a call of the function gives as it is."""

MARKS = frozenset(
    {
        "abc.abstractmethod",
        "builtins.classmethod",
        "builtins.staticmethod",
        "typing.final",
        "typing.overload",
        "typing.override",
        "typing_extensions.overload",
        "typing_extensions.override",
    }
)
"""Those under which a function stays the one that is written there."""
TRANSPARENT = MARKS | {
    "abc.abstractproperty",
    "builtins.property",
    "functools.cache",
    "functools.cached_property",
    "functools.lru_cache",
}
"""Those that say how it is looked up, or how often it is called, too."""
