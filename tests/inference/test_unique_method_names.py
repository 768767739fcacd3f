"""Methods that are known by their name alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from logctx_lint.inference.types import Awaitability, Certainty, Kind
from logctx_lint.inference.unique_method_names import is_distinctive
from tests.support.projects import awaitabilities

LIKELY = Awaitability(Certainty.LIKELY, Kind.COROUTINE)
DECLARED = """
from twisted.internet.defer import inlineCallbacks, succeed

class Store:
    async def get_room(self): ...
"""


def certainties(folder: Path, text: str) -> list[Certainty]:
    return [found.certainty for found in awaitabilities(folder, DECLARED + text)]


def test_a_method_that_is_declared_as_async_alone(tmp_path: Path) -> None:
    text = """
class Other:
    async def get_room(self): ...
def run(store, stores):
    reveal(store.get_room())
    reveal(stores[0].get_room(1))
    get = store.get_room
    reveal(get())
"""
    assert awaitabilities(tmp_path, DECLARED + text) == [LIKELY] * 3


@pytest.mark.parametrize(
    "other",
    [
        "async def get_room(self): ...",
        "@inlineCallbacks\n    def get_room(self):\n        yield 1",
        "def get_room(self):\n        return succeed(1)",
        "def get_room(self) -> 'Awaitable[int]':\n        return succeed(1)",
        "def get_room(self):\n        raise NotImplementedError",
        "def get_room(self):\n        '''To be overridden.'''",
        "def __init__(self, store):\n        self.get_room = store.get_room",
    ],
)
def test_declarations_that_agree(tmp_path: Path, other: str) -> None:
    text = f"""
from typing import Awaitable
class Other:
    {other}
def run(store):
    reveal(store.get_room())
"""
    assert certainties(tmp_path, text) == [Certainty.LIKELY]


@pytest.mark.parametrize(
    "other",
    [
        "def get_room(self):\n        return 1",
        "def get_room(self, d):\n        return d",
        "async def get_room(self):\n        yield 1",
        "@property\n    def get_room(self):\n        return 1",
        "get_room = None",
        "def __init__(self, get_room):\n        self.get_room = get_room",
    ],
)
def test_declarations_that_do_not(tmp_path: Path, other: str) -> None:
    text = f"""
class Other:
    {other}
def run(store):
    reveal(store.get_room())
"""
    assert certainties(tmp_path, text) == [Certainty.UNKNOWN]


def test_an_object_that_is_known_to_be_something_else(tmp_path: Path) -> None:
    text = """
import elsewhere
from elsewhere import Store as Foreign
class Mine(Foreign): ...
def run(text: str, foreign: Foreign, mine: Mine, maybe=""):
    reveal(text.get_room())
    reveal(elsewhere.get_room())
    reveal(foreign.get_room())
    reveal(mine.get_room())
    reveal(maybe.get_room())
"""
    assert certainties(tmp_path, text) == [Certainty.UNKNOWN] * 5


@pytest.mark.parametrize("method", ["__getattr__", "__getattribute__"])
def test_an_object_that_makes_its_attributes_up(tmp_path: Path, method: str) -> None:
    text = f"""
class Proxy:
    def {method}(self, name): ...
class Client(Proxy): ...
class Holder:
    client: Client
    def run(self):
        reveal(Client().get_room())
        reveal(self.client.get_room())
"""
    assert certainties(tmp_path, text) == [Certainty.UNKNOWN] * 2


def test_a_class_that_is_mixed_into_others(tmp_path: Path) -> None:
    text = """
class Mixin:
    def run(self):
        reveal(self.get_room())
"""
    assert certainties(tmp_path, text) == [Certainty.LIKELY]


def test_what_awaiting_gives_is_unknown(tmp_path: Path) -> None:
    text = """
async def run(store):
    reveal(await store.get_room())
    reveal((await store.get_room()).get_room())
"""
    assert certainties(tmp_path, text) == [Certainty.UNKNOWN, Certainty.LIKELY]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("get_room", True),
        ("getRoom", True),
        ("_get_room", True),
        ("get", False),
        ("close", False),
        ("_run", False),
        ("__aenter__", False),
        ("send_message", False),
        ("call_later", False),
        ("setServiceParent", False),
    ],
)
def test_names_that_nobody_else_uses(name: str, expected: bool) -> None:
    assert is_distinctive(name) == expected
