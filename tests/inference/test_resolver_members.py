"""Attributes and methods: own, inherited, of self, of what calls return."""

from __future__ import annotations

from pathlib import Path

from tests.support.projects import Project, types


def test_a_local_variable_comes_before_a_submodule_of_its_name(tmp_path: Path) -> None:
    files = {
        "pkg/__init__.py": """
            class Store: ...
            class Stores:
                def __init__(self):
                    main = Store()
                    self.main = main
        """,
        "pkg/main.py": "",
        "app.py": "from pkg import Stores\nreveal(Stores().main)\n",
    }
    assert Project(tmp_path, files).types("app.py") == ["Store"]


def test_own_and_inherited_methods(tmp_path: Path) -> None:
    text = """
        from base import Base
        class C(Base):
            async def own(self) -> int: ...
            def f(self):
                reveal(self.own())
                reveal(self.inherited())
                reveal(super().own())
    """
    base = """
        class Root:
            async def inherited(self) -> str: ...
        class Base(Root):
            async def own(self) -> bytes: ...
    """
    assert types(tmp_path, text, base=base) == [
        "Coroutine[?, ?, int]",
        "Coroutine[?, ?, str]",
        "Coroutine[?, ?, bytes]",
    ]


def test_the_nearest_ancestor_wins(tmp_path: Path) -> None:
    text = """
        class A:
            def f(self) -> int: ...
        class B(A): ...
        class C(A):
            def f(self) -> str: ...
        class D(B, C): ...
        reveal(D().f())
    """
    assert types(tmp_path, text) == ["str"]


def test_attributes_of_self_are_what_methods_assign(tmp_path: Path) -> None:
    text = """
        class Store:
            async def get(self) -> int: ...
        class Server:
            def get_store(self) -> "Store": ...
        class Handler:
            def __init__(self, hs: Server, plain):
                self.store = hs.get_store()
                self.plain = plain
                self.declared: "Store" = plain
                self.first, self.second = 1, hs
            async def f(self):
                reveal(self.store.get())
                reveal(self.plain)
                reveal(self.declared)
                reveal(self.second)
    """
    assert types(tmp_path, text) == ["Coroutine[?, ?, int]", "?", "Store", "Server"]


def test_a_chain_of_calls_and_attributes(tmp_path: Path) -> None:
    text = """
        class Main:
            async def f(self) -> int: ...
        class Stores:
            main: Main
        class HomeServer:
            def get_datastores(self) -> Stores: ...
        def f(hs: HomeServer):
            reveal(hs.get_datastores().main.f())
    """
    assert types(tmp_path, text) == ["Coroutine[?, ?, int]"]


def test_an_attribute_only_ever_seen_as_none_is_unknown(tmp_path: Path) -> None:
    text = """
        class C:
            cls = None
            def __init__(self):
                self.own = None
                self.late = None
            def start(self):
                self.late = 1
            def f(self):
                reveal(self.cls)
                reveal(self.own)
                reveal(self.late)
        nothing = None
        reveal(nothing)
    """
    assert types(tmp_path, text) == ["?", "?", "None | int", "?"]


def test_an_ancestor_says_what_none_does_not(tmp_path: Path) -> None:
    text = """
        class A:
            x: int
        class B(A):
            x = None
        reveal(B().x)
    """
    assert types(tmp_path, text) == ["int"]


def test_properties_are_what_they_return(tmp_path: Path) -> None:
    text = """
        from functools import cached_property
        class C:
            @property
            def p(self) -> int: ...
            @p.setter
            def p(self, value): ...
            @cached_property
            def c(self): return self.p
            @property
            async def a(self) -> str: ...
        reveal(C().p)
        reveal(C().c)
        reveal(C().a)
    """
    assert types(tmp_path, text) == ["int", "int", "Coroutine[?, ?, str]"]


def test_class_and_static_methods(tmp_path: Path) -> None:
    text = """
        class C:
            @classmethod
            async def make(cls, x) -> int:
                reveal(cls)
            @staticmethod
            def plain(x: str):
                reveal(x)
                return x
        reveal(C.make(1))
        reveal(C.plain(""))
        reveal(C().plain(""))
    """
    assert types(tmp_path, text) == ["type[C]", "str", "Coroutine[?, ?, int]", "str", "str"]


def test_self_is_the_receiver_and_not_the_defining_class(tmp_path: Path) -> None:
    text = """
        from typing import Self
        class A:
            def me(self) -> Self: ...
            @classmethod
            def make(cls) -> "Self": ...
            async def later(self) -> Self: ...
            other: Self
            async def own(self) -> int: ...
            def f(self, like: Self):
                reveal(self.me().own())
                reveal(like.own())
        class B(A):
            async def own(self) -> str: ...
        reveal(B().me().own())
        reveal(B.make())
        reveal(B().later())
        reveal(B().other)
    """
    assert types(tmp_path, text) == [
        *["Coroutine[?, ?, int]"] * 2,
        "Coroutine[?, ?, str]",
        "B",
        "Coroutine[?, ?, B]",
        "B",
    ]


def test_a_method_that_returns_self_returns_the_receiver(tmp_path: Path) -> None:
    text = """
        class A:
            def me(self): return self
            @classmethod
            def make(cls): return cls()
            def other(self): return A()
        class B(A): ...
        reveal(B().me())
        reveal(B.make())
        reveal(B().other())
    """
    assert types(tmp_path, text) == ["B", "B", "A"]


def test_type_arguments_go_through_base_classes(tmp_path: Path) -> None:
    text = """
        from typing import Generic, TypeVar
        T = TypeVar("T")
        U = TypeVar("U")
        class Box(Generic[T]):
            item: T
            async def get(self) -> T: ...
        class Pair(Box[U], Generic[T, U]):
            first: T
        class Ints(Pair[str, int]): ...
        reveal(Ints().item)
        reveal(Ints().get())
        reveal(Ints().first)
        def f(pair: Pair[bytes, float]):
            reveal(pair.get())
    """
    assert types(tmp_path, text) == [
        "int",
        "Coroutine[?, ?, int]",
        "str",
        "Coroutine[?, ?, float]",
    ]


def test_fields_of_dataclasses_and_named_tuples(tmp_path: Path) -> None:
    text = """
        from dataclasses import dataclass, field
        from typing import NamedTuple, Callable, Awaitable
        @dataclass
        class D:
            call: Callable[[], Awaitable[int]]
            items: list[str] = field(default_factory=list)
        class N(NamedTuple):
            d: D
        def f(n: N):
            reveal(n.d.call())
            reveal(n.d.items)
        reveal(N(1).d.call())
    """
    assert types(tmp_path, text) == ["Awaitable[int]", "list[str]", "Awaitable[int]"]


def test_an_interface_s_methods_have_no_self(tmp_path: Path) -> None:
    text = """
        from zope.interface import Interface
        class IThing(Interface):
            def fetch(url: str) -> int: ...
            async def later(): ...
        def f(thing: IThing):
            reveal(thing.fetch(""))
            reveal(thing.later())
    """
    assert types(tmp_path, text) == ["int", "Coroutine[?, ?, ?]"]


def test_a_descriptor_gives_what_its_get_gives(tmp_path: Path) -> None:
    text = """
        class Field:
            def __get__(self, instance, owner) -> int: ...
        class C:
            x = Field()
        reveal(C().x)
    """
    assert types(tmp_path, text) == ["int"]


def test_a_member_of_a_base_that_is_nowhere_keeps_its_name(tmp_path: Path) -> None:
    text = "from lib import Base\nclass C(Base): ...\nreveal(C().f)\n"
    project = Project(tmp_path, {"main.py": text})
    assert project.types("main.py") == ["External lib.Base.f"]
    assert project.names("main.py") == [("main.C.f", "lib.Base.f")]


def test_a_base_class_that_a_call_makes(tmp_path: Path) -> None:
    text = """
        class Base:
            def f(self) -> int: ...
        def make():
            return Base
        class C(make()): ...
        reveal(C().f())
    """
    assert types(tmp_path, text) == ["int"]


def test_classes_that_inherit_each_other_end(tmp_path: Path) -> None:
    text = "class A(B):\n    def f(self) -> int: ...\nclass B(A): ...\nreveal(B().f())\n"
    assert types(tmp_path, text) == ["int"]


def test_nested_classes(tmp_path: Path) -> None:
    text = """
        class Outer:
            class Inner:
                async def f(self) -> int: ...
            def g(self) -> "Inner": ...
            inner = Inner()
        reveal(Outer.Inner().f())
        reveal(Outer().inner.f())
    """
    assert types(tmp_path, text) == ["Coroutine[?, ?, int]"] * 2


def test_getattr_with_a_literal_name_may_be_that_attribute(tmp_path: Path) -> None:
    text = "class C:\n    x: int\nreveal(getattr(C(), 'x'))\n"
    assert types(tmp_path, text) == ["int | ?"]


def test_a_mixin_has_what_it_is_mixed_with(tmp_path: Path) -> None:
    files = {
        "pkg/__init__.py": "",
        "pkg/mixin.py": """
            class Mixin:
                def run(self):
                    reveal(self.load())
                    reveal(self.nowhere())
                    reveal(self.size)
                @classmethod
                def make(cls):
                    reveal(cls.build())
            class Other:
                def run(self):
                    reveal(self.load())
        """,
        "pkg/store.py": """
            class Base:
                size: int
                async def load(self) -> str: ...
                @classmethod
                async def build(cls) -> bytes: ...
            class Apart:
                async def nowhere(self) -> str: ...
        """,
        "pkg/whole.py": """
            from .mixin import Mixin
            from .store import Base
            class Part(Mixin): ...
            class Whole(Part, Base): ...
        """,
    }
    project = Project(tmp_path, files)
    assert project.types("pkg/mixin.py") == [
        "Coroutine[?, ?, str]",
        "?",
        "int",
        "Coroutine[?, ?, bytes]",
        "?",
    ]
