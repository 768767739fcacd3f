"""Decorators that keep what a function gives, and those that change it."""

from __future__ import annotations

from pathlib import Path

from tests.support.projects import types


def test_wraps_keeps_what_the_wrapper_gives(tmp_path: Path) -> None:
    text = """
        from functools import wraps
        def make_async(f):
            @wraps(f)
            async def wrapper(*args, **kwargs):
                return f(*args, **kwargs)
            return wrapper
        def make_plain(f):
            @wraps(f)
            def wrapper(*args, **kwargs) -> int:
                run(f)
            return wrapper
        @make_async
        def plain() -> int: ...
        @make_plain
        async def co() -> str: ...
        reveal(plain())
        reveal(co())
    """
    found = types(tmp_path, text)
    assert found[0].startswith("Coroutine")
    assert found[1] == "int"


def test_a_param_spec_keeps_the_result(tmp_path: Path) -> None:
    text = """
        from typing import Awaitable, Callable, ParamSpec, TypeVar
        from twisted.internet.defer import Deferred
        P = ParamSpec("P")
        R = TypeVar("R")
        def traced(f: Callable[P, R]) -> Callable[P, R]: ...
        def named(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
        def background(f: Callable[P, Awaitable[R]]) -> "Callable[P, Deferred[R]]": ...
        class C:
            @traced
            async def one(self) -> int: ...
            @named("x")
            async def two(self) -> int: ...
            @background
            async def three(self) -> int: ...
        reveal(C().one())
        reveal(C().two())
        reveal(C().three())
    """
    assert types(tmp_path, text) == ["Coroutine[?, ?, int]"] * 2 + ["Deferred[int]"]


def test_a_type_variable_for_the_function_keeps_the_function(tmp_path: Path) -> None:
    text = """
        from typing import Any, Callable, TypeVar
        F = TypeVar("F", bound=Callable[..., Any])
        def marked(f: F) -> F: ...
        def marking(x: int) -> Callable[[F], F]: ...
        @marked
        @marking(1)
        async def f(x: int) -> str: ...
        reveal(f(1))
        reveal(f)
    """
    assert types(tmp_path, text) == ["Coroutine[?, ?, str]", "def f"]


def test_caches_of_functools_keep_the_function(tmp_path: Path) -> None:
    text = """
        import functools
        from functools import cache, lru_cache
        @cache
        def a() -> int: ...
        @lru_cache
        async def b() -> int: ...
        class C:
            @lru_cache()
            def c(self) -> int: ...
            @functools.lru_cache(maxsize=None)
            def d(self) -> int: ...
        reveal(a())
        reveal(b())
        reveal(C().c())
        reveal(C().d())
    """
    assert types(tmp_path, text) == ["int", "Coroutine[?, ?, int]", "int", "int"]


def test_context_managers(tmp_path: Path) -> None:
    text = """
        from contextlib import asynccontextmanager, contextmanager
        from typing import AsyncIterator, Iterator
        @contextmanager
        def plain() -> Iterator[int]: yield 1
        @asynccontextmanager
        async def later() -> AsyncIterator[str]: yield ""
        async def f():
            with plain() as x:
                reveal(x)
            async with later() as y:
                reveal(y)
        reveal(later())
    """
    assert types(tmp_path, text) == ["int", "str", "_AsyncGeneratorContextManager[str]"]


def test_inline_callbacks_make_a_deferred_of_what_the_generator_returns(tmp_path: Path) -> None:
    text = """
        from typing import Any, Generator
        from twisted.internet.defer import Deferred, inlineCallbacks, returnValue
        @inlineCallbacks
        def new():
            x = yield other()
            reveal(x)
            return x
        @inlineCallbacks
        def old():
            yield other()
            returnValue("")
        @inlineCallbacks
        def declared() -> Generator[Any, Any, bytes]:
            yield other()
        def other() -> Deferred[int]: ...
        reveal(new())
        reveal(old())
        reveal(declared())
    """
    assert types(tmp_path, text) == ["int", "Deferred[int]", "Deferred[str]", "Deferred[bytes]"]


def test_a_descriptor_class_decides_by_its_call(tmp_path: Path) -> None:
    text = """
        from typing import Any, Awaitable, Callable, Generic, TypeVar, cast
        F = TypeVar("F", bound=Callable[..., Any])
        class Cached(Generic[F]):
            __call__: F
            def invalidate(self) -> None: ...
        class Descriptor:
            def __call__(self, orig: F) -> Cached[F]: ...
        def cached(*, size: int = 1) -> Descriptor: ...
        class C:
            @cached(size=2)
            async def get(self, x: int) -> str: ...
            def f(self):
                reveal(self.get(1))
                reveal(self.get.invalidate())
    """
    assert types(tmp_path, text) == ["Coroutine[?, ?, str]", "None"]


def test_a_caching_decorator_may_return_a_deferred_for_a_plain_function(tmp_path: Path) -> None:
    text = """
        from typing import Any, Callable
        from twisted.internet.defer import Deferred
        def cached(f: Callable[..., Any]) -> "Callable[..., Deferred[int]]": ...
        @cached
        def get(x) -> int: ...
        reveal(get(1))
    """
    assert types(tmp_path, text) == ["Deferred[int]"]


def test_an_unknown_decorator_very_likely_gives_what_it_is_given(tmp_path: Path) -> None:
    text = """
        from lib import decorator
        @decorator
        async def f(): ...
        reveal(f())
    """
    assert types(tmp_path, text) == ["Coroutine[?, ?, ?]?"]


def test_decorators_of_nested_functions_count(tmp_path: Path) -> None:
    text = """
        from twisted.internet.defer import inlineCallbacks
        def f():
            @inlineCallbacks
            def g():
                yield 1
            reveal(g())
    """
    assert types(tmp_path, text) == ["Deferred[None]"]


def test_a_decorator_that_decorates_itself_ends(tmp_path: Path) -> None:
    assert types(tmp_path, "@f\ndef f(g): return g\nreveal(f(1))\n") == ["?"]


def test_a_decorator_that_sets_a_mark_leaves_a_generic_function_as_it_is(tmp_path: Path) -> None:
    """Its callers still learn from its body, and solve its type variables."""
    text = """
        from typing import Any, Awaitable, Callable, Coroutine, TypeVar
        F = TypeVar("F", bound=Callable[..., Any])
        R = TypeVar("R")
        def mark(f: F) -> F:
            f.marked = True
            return f
        @mark
        def give(x: "Coroutine[Any, Any, R]") -> "Awaitable[R]": ...
        async def co() -> int: ...
        reveal(give)
        reveal(give(co()))
    """
    assert types(tmp_path, text) == ["def give", "Awaitable[int]"]
