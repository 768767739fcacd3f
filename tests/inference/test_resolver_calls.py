"""What a call gives: declared and inferred results, type variables, constructors."""

from __future__ import annotations

from pathlib import Path

from logctx_lint.inference.types import Awaitability, Certainty, Kind
from tests.support.projects import awaitabilities, types


def test_results_of_plain_functions_are_inferred(tmp_path: Path) -> None:
    text = """
        async def co() -> int: ...
        def passes_on():
            return co()
        def either(c):
            if c:
                return co()
        def nothing():
            print()
        def only_raises():
            raise NotImplementedError()
        def says_nothing():
            \"\"\"To be overridden.\"\"\"
        def nested():
            def inner():
                return 1
            return inner
        async def later():
            return 1
        reveal(passes_on())
        reveal(either(1))
        reveal(nothing())
        reveal(only_raises())
        reveal(says_nothing())
        reveal(nested()())
        reveal(later())
    """
    assert types(tmp_path, text) == [
        "Coroutine[?, ?, int]",
        "Coroutine[?, ?, int]",
        "None",
        "?",
        "?",
        "int",
        "Coroutine[?, ?, int]",
    ]


def test_generators(tmp_path: Path) -> None:
    text = """
        from typing import AsyncIterator, Iterator
        def plain(): yield 1
        async def asynchronous(): yield 1
        async def declared() -> AsyncIterator[int]: yield 1
        reveal(plain())
        reveal(asynchronous())
        reveal(declared())
    """
    assert types(tmp_path, text) == [
        "Generator[?, ?, None]",
        "AsyncGenerator[?, ?, None]",
        "AsyncIterator[int]",
    ]


def test_a_bare_callable_says_less_than_the_body(tmp_path: Path) -> None:
    text = """
        from typing import Callable
        def make() -> Callable:
            async def inner() -> int: ...
            return inner
        reveal(make()())
    """
    assert types(tmp_path, text) == ["Coroutine[?, ?, int]"]


def test_type_variables_are_solved_by_arguments(tmp_path: Path) -> None:
    text = """
        from typing import Awaitable, Callable, Dict, Iterable, List, Tuple, Type, TypeVar
        T = TypeVar("T")
        K = TypeVar("K")
        def same(x: T) -> T: ...
        def by_name(*, x: T) -> T: ...
        def first(x: Iterable[T]) -> T: ...
        def values(x: Dict[K, T]) -> List[Tuple[K, T]]: ...
        def rest(*x: T) -> List[T]: ...
        def make(x: Type[T]) -> T: ...
        def call(x: Callable[[], T]) -> T: ...
        def drive(x: Awaitable[T]) -> T: ...
        async def co() -> int: ...
        class C: ...
        reveal(same(1))
        reveal(by_name(x=""))
        reveal(first([1]))
        reveal(first((1, "")))
        reveal(values({"a": 1}))
        reveal(rest(1, ""))
        reveal(make(C))
        reveal(call(co))
        reveal(call(lambda: 1))
        reveal(call(C))
        reveal(drive(co()))
        reveal(drive(missing))
    """
    assert types(tmp_path, text) == [
        "int",
        "str",
        "int",
        "int | str",
        "list[(str, int)]",
        "list[int | str]",
        "C",
        "Coroutine[?, ?, int]",
        "int",
        "C",
        "int",
        "?",
    ]


def test_what_may_be_awaitable_or_plain_is_solved_either_way(tmp_path: Path) -> None:
    text = """
        from typing import Awaitable, Callable, Coroutine, Any, ParamSpec, TypeVar, Union
        from twisted.internet.defer import Deferred
        P = ParamSpec("P")
        R = TypeVar("R")
        def run(
            f: Union[Callable[P, Deferred[R]], Callable[P, Coroutine[Any, Any, R]], Callable[P, R]],
            *args: P.args, **kwargs: P.kwargs
        ) -> "Deferred[R]": ...
        def drive(x: Union[Awaitable[R], R]) -> R: ...
        def plain() -> int: ...
        async def co() -> str: ...
        def deferred() -> Deferred[bytes]: ...
        def maybe(c) -> Union[int, Deferred[str]]: ...
        reveal(run(plain))
        reveal(run(co))
        reveal(run(deferred))
        reveal(drive(1))
        reveal(drive(co()))
        reveal(drive(maybe()))
        reveal(drive(None))
    """
    assert types(tmp_path, text) == [
        "Deferred[int]",
        "Deferred[str]",
        "Deferred[bytes]",
        "int",
        "str",
        "int | str",
        "None",
    ]


def test_what_an_object_can_do_makes_it_fit(tmp_path: Path) -> None:
    text = """
        from contextlib import AsyncExitStack, ExitStack
        from typing import AsyncIterable, Awaitable, TypeVar
        T = TypeVar("T")
        class Manager:
            def __enter__(self) -> int: ...
        class AsyncManager:
            async def __aenter__(self) -> str: ...
        class Items:
            def __iter__(self): return self
            def __next__(self) -> bytes: ...
        class AsyncItems:
            def __aiter__(self): return self
            async def __anext__(self) -> float: ...
        class Later:
            def __await__(self):
                return iter_().__await__()
        async def iter_() -> bool: ...
        def drive(x: Awaitable[T]) -> T: ...
        def each(x: AsyncIterable[T]) -> T: ...
        async def f(stack: ExitStack, other: AsyncExitStack):
            reveal(stack.enter_context(Manager()))
            reveal(await other.enter_async_context(AsyncManager()))
            reveal(list(Items()))
            reveal(each(AsyncItems()))
            reveal(drive(Later()))
    """
    assert types(tmp_path, text) == ["int", "str", "list[bytes]", "float", "bool"]


def test_constructors_solve_a_class_s_parameters(tmp_path: Path) -> None:
    text = """
        from typing import Generic, Iterable, TypeVar
        T = TypeVar("T")
        class Box(Generic[T]):
            def __init__(self, item: T, *more: T): ...
            def get(self) -> T: ...
        class Sub(Box[T]): ...
        reveal(Box(1))
        reveal(Box(1).get())
        reveal(Sub("").get())
        reveal(Box[bytes](x).get())
    """
    assert types(tmp_path, text) == ["Box[int]", "int", "str", "bytes"]


def test_arguments_meet_their_parameters_whatever_the_first_is(tmp_path: Path) -> None:
    text = """
        from typing import TypeVar
        from zope.interface import Interface
        T = TypeVar("T")
        class C:
            def method(self, x: T) -> T: ...
            @classmethod
            def make(cls, x: T) -> T: ...
            @staticmethod
            def plain(x: T) -> T: ...
        class IThing(Interface):
            def thing(x: T) -> T: ...
            def other(self, x: T) -> T: ...
        def f(thing: IThing):
            reveal(C().method(1))
            reveal(C.method(C(), 1))
            reveal(C.make(1))
            reveal(C().make(1))
            reveal(C.plain(1))
            reveal(C().plain(1))
            reveal(thing.thing(1))
            reveal(thing.other(1))
    """
    assert types(tmp_path, text) == ["int"] * 8


def test_overloads_are_one_of_their_results(tmp_path: Path) -> None:
    text = """
        from typing import Generic, TypeVar, overload
        T = TypeVar("T")
        class C(Generic[T]):
            @overload
            async def get(self, x: int) -> T: ...
            @overload
            async def get(self, x: str) -> None: ...
            async def get(self, x): return 1
        def f(c: C[int]):
            reveal(c.get(1))
    """
    assert types(tmp_path, text) == ["Coroutine[?, ?, int] | Coroutine[?, ?, None]"]


def test_calling_an_object_calls_its_class_s_call(tmp_path: Path) -> None:
    text = """
        class C:
            async def __call__(self) -> int: ...
        reveal(C()())
        def f(c: C):
            reveal(c())
    """
    assert types(tmp_path, text) == ["Coroutine[?, ?, int]"] * 2


def test_callables_in_containers(tmp_path: Path) -> None:
    text = """
        from typing import Awaitable, Callable, Dict, List, Optional
        Callback = Callable[[int], Awaitable[str]]
        class C:
            def __init__(self) -> None:
                self.callbacks: List[Callback] = []
                self.by_name: Dict[str, Callback] = {}
            def f(self):
                for callback in self.callbacks:
                    reveal(callback(1))
                reveal(self.by_name["x"](1))
                found = self.by_name.get("x", None)
                reveal(found(1))
                for name, each in self.by_name.items():
                    reveal(each(1))
    """
    assert types(tmp_path, text) == ["Awaitable[str]"] * 4


def test_partials_and_maps_keep_what_is_called(tmp_path: Path) -> None:
    text = """
        from functools import partial
        async def co(x) -> int: ...
        reveal(partial(co, 1)())
        reveal(list(map(co, [1])))
        reveal([co(x) for x in []])
        reveal({x: co(x) for x in []})
    """
    assert types(tmp_path, text) == [
        "Coroutine[?, ?, int]",
        "list[Coroutine[?, ?, int]]",
        "list[Coroutine[?, ?, int]]",
        "dict[?, Coroutine[?, ?, int]]",
    ]


def test_recursive_functions_end(tmp_path: Path) -> None:
    text = """
        def f(x):
            if x:
                return g(x - 1)
            return 1
        def g(x):
            return f(x)
        reveal(f(1))
        reveal(g(1))
    """
    assert types(tmp_path, text) == ["int | ?"] * 2


def test_unknown_members_do_not_hide_an_awaitable(tmp_path: Path) -> None:
    text = """
        async def co(): ...
        def some(c):
            if c:
                return co()
            return missing()
        def sometimes(c):
            if c:
                return co()
            return 1
        reveal(some(1))
        reveal(sometimes(1))
        reveal(missing())
        reveal(1)
        reveal(None)
    """
    assert [each.certainty for each in awaitabilities(tmp_path, text)] == [
        Certainty.YES,
        Certainty.SOME,
        Certainty.UNKNOWN,
        Certainty.NO,
        Certainty.NO,
    ]


def test_every_kind_of_awaitable(tmp_path: Path) -> None:
    text = """
        import asyncio
        from lib import Base
        from typing import Awaitable
        from twisted.internet.defer import Deferred
        async def co(): ...
        class Own:
            def __await__(self): yield
        class Perhaps(Base): ...
        class Sub(Deferred[int]): ...
        def f(awaitable: Awaitable[int]):
            reveal(co())
            reveal(Deferred())
            reveal(Sub())
            reveal(asyncio.Future())
            reveal(asyncio.create_task(co()))
            reveal(awaitable)
            reveal(Own())
            reveal(Perhaps())
    """
    yes = [
        Kind.COROUTINE,
        Kind.DEFERRED,
        Kind.DEFERRED,
        Kind.FUTURE,
        Kind.TASK,
        Kind.AWAITABLE,
        Kind.AWAITABLE,
    ]
    assert awaitabilities(tmp_path, text) == [
        *(Awaitability(Certainty.YES, kind) for kind in yes),
        Awaitability(Certainty.UNKNOWN),
    ]
