"""Annotations: what they mean, and what aliases, TypeVars and NewTypes stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.projects import types

ANNOTATIONS = {
    "int": "int",
    "'int'": "int",
    "None": "None",
    "int | None": "int | None",
    "Optional[int]": "int | None",
    "Optional['int']": "int | None",
    "Union[int, str, None]": "int | str | None",
    "Union[int, Union[str, int]]": "int | str",
    "list[int]": "list[int]",
    "List[int]": "list[int]",
    "Dict[str, List[int]]": "dict[str, list[int]]",
    "typing.Dict[str, int]": "dict[str, int]",
    "tuple[int, str]": "(int, str)",
    "Tuple[int, ...]": "tuple[int]",
    "Type[C]": "type[C]",
    "type[C]": "type[C]",
    "Callable[[int], Awaitable[str]]": "(int) -> Awaitable[str]",
    "Callable[..., int]": "() -> int",
    "Callable": "() -> ?",
    "Awaitable[int]": "Awaitable[int]",
    "Coroutine[Any, Any, int]": "Coroutine[?, ?, int]",
    "Deferred[int]": "Deferred[int]",
    "'Deferred[int]'": "Deferred[int]",
    "Annotated[int, 'note']": "int",
    "Final[int]": "int",
    "Literal['x']": "?",
    "Any": "?",
    "NoReturn": "?",
    "Missing": "?",
    "lib.Thing": "ExternalInstance lib.Thing",
    "Sequence[C]": "Sequence[C]",
    "not an annotation at all": "?",
}


@pytest.mark.parametrize(("annotation", "expected"), ANNOTATIONS.items())
def test_annotation(tmp_path: Path, annotation: str, expected: str) -> None:
    text = f"""
import typing, lib
from collections.abc import Sequence
from typing import *
from typing import (Annotated, Any, Awaitable, Callable, Coroutine, Dict, Final, List, Literal,
    NoReturn, Optional, Tuple, Type, Union)
from twisted.internet.defer import Deferred
class C: ...
def f(x: {annotation if not annotation.startswith("not") else "1 + 1"}):
    reveal(x)
"""
    assert types(tmp_path, text) == [expected]


def test_aliases_of_whole_types(tmp_path: Path) -> None:
    text = """
        from typing import Awaitable, Callable, List, Optional
        Later = Awaitable[int]
        Callback = Optional[Callable[..., Later]]
        Callbacks = "List[Callback]"
        class C:
            callback: Callback = None
            def __init__(self, callbacks: Callbacks, one: Optional[Callback] = None):
                self.callbacks = callbacks
                self.one = one
        def f(c: C, callback: Callback, many: List[Callback]):
            reveal(c.callback())
            reveal(callback())
            reveal(c.one())
            for each in many:
                reveal(each())
            for each in c.callbacks:
                reveal(each())
    """
    assert types(tmp_path, text) == ["Awaitable[int]"] * 5


def test_generic_aliases_take_arguments(tmp_path: Path) -> None:
    text = """
        from typing import Awaitable, Callable, TypeVar, Union
        T = TypeVar("T")
        Maybe = Union[T, Awaitable[T]]
        Factory = Callable[[], Maybe[T]]
        def f(x: Maybe[int], y: Factory[str]):
            reveal(x)
            reveal(y())
    """
    assert types(tmp_path, text) == ["int | Awaitable[int]", "str | Awaitable[str]"]


def test_aliases_of_generic_classes_take_arguments(tmp_path: Path) -> None:
    text = """
        import collections.abc
        Dict = dict
        Later = collections.abc.Awaitable
        def f(x: Dict[str, Dict[int, str]], y: Later[int], z: Dict):
            reveal(x)
            reveal(y)
            reveal(z)
    """
    assert types(tmp_path, text) == ["dict[str, dict[int, str]]", "Awaitable[int]", "dict"]


def test_a_new_type_is_what_it_is_made_of(tmp_path: Path) -> None:
    text = """
        from typing import Awaitable, NewType
        Plain = NewType("Plain", Awaitable[int])
        Quoted = NewType("Quoted", "Awaitable[str]")
        def f(x: Plain, y: Quoted):
            reveal(x)
            reveal(y)
    """
    assert types(tmp_path, text) == ["Awaitable[int]", "Awaitable[str]"]


def test_a_bounded_type_variable_has_its_bound_s_members(tmp_path: Path) -> None:
    text = """
        from typing import TypeVar
        class C:
            async def f(self) -> int: ...
        T = TypeVar("T", bound=C)
        Q = TypeVar("Q", bound="C")
        def f(x: T, y: Q):
            reveal(x.f())
            reveal(y.f())
    """
    assert types(tmp_path, text) == ["Coroutine[?, ?, int]"] * 2


def test_an_attribute_of_a_class_s_own_parameter_has_its_bound(tmp_path: Path) -> None:
    text = """
        from typing import Generic, TypeVar
        class A:
            async def f(self) -> int: ...
        class B:
            async def f(self) -> str: ...
        Bound = TypeVar("Bound", bound=A)
        OneOf = TypeVar("OneOf", A, B)
        class C(Generic[Bound, OneOf]):
            bound: Bound
            one: OneOf
            def g(self):
                reveal(self.bound.f())
                reveal(self.one.f())
    """
    assert types(tmp_path, text) == [
        "Coroutine[?, ?, int]",
        "Coroutine[?, ?, int] | Coroutine[?, ?, str]",
    ]


def test_casts_are_believed(tmp_path: Path) -> None:
    text = """
        import typing
        from typing import Awaitable, cast
        def f(x):
            reveal(cast(Awaitable[int], x))
            reveal(cast("Awaitable[str]", x))
            reveal(typing.cast("Awaitable[bytes]", x))
    """
    assert types(tmp_path, text) == ["Awaitable[int]", "Awaitable[str]", "Awaitable[bytes]"]


def test_parameters_of_each_kind(tmp_path: Path) -> None:
    text = """
        from typing import Any
        def f(a: int, b=1, c=None, *d: str, e: "bytes", h: Any = "", i: Any = None, **g: int):
            reveal(a)
            reveal(b)
            reveal(c)
            reveal(d)
            reveal(e)
            reveal(g)
            reveal(h)
            reveal(i)
    """
    assert types(tmp_path, text) == [
        "int",
        "int | ?",
        "?",
        "tuple[str]",
        "bytes",
        "dict[str, int]",
        "str | ?",
        "?",
    ]


def test_an_annotation_that_refers_to_itself_ends(tmp_path: Path) -> None:
    text = """
        from typing import Union
        Json = Union[int, "list[Json]"]
        def f(x: Json):
            reveal(x)
    """
    assert types(tmp_path, text) == ["int | list[?]"]
