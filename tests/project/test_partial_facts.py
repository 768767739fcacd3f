"""What a module says of one name, from the statements that mention it."""

from __future__ import annotations

from pathlib import Path

import pytest

from logctx_lint.project.facts import extract, interface_of
from logctx_lint.project.partial_facts import Outline
from logctx_lint.syntax.source import Source

TEXT = (
    '''\
"""A module.

class NotThere: in its text, with '''
    + "'''"
    + ''' in it
"""
from __future__ import annotations

from .one import *
from .two import (
    first,
    second as other,
)

if TYPE_CHECKING:
    from typing import Any
else:
    Any = object

try:
    import fast
except ImportError:
    fast = None

plain: int = 1
one = two = plain
text = """
def not_there_either():
    pass
"""


@overload
def call(name: str) -> str: ...
@overload
def call(name: int) -> int: ...
@register(
    "call",
)
def call(name):
    return name


class Box(Base):
    size = 1

    async def seal(self) -> None:
        """Says `class Other:`.
'''.replace("Says", "Says")
    + '''
class Other:
        """
        self.sealed = first

    class Inner:
        async def open(self): ...


async def last(): ...
'''
)


@pytest.fixture
def source() -> Source:
    return Source(Path("module.py"), TEXT)


def test_each_name_is_what_it_is_in_the_whole(source: Source) -> None:
    whole = extract(source, source.parse())
    outline = Outline(source)
    names = {*whole.imports, *whole.functions, *whole.classes, *whole.variables}
    assert {"call", "Box", "last", "fast", "Any", "other", "two", "text"} <= names
    for name in {*names, "NotThere", "not_there_either", "Other", "Inner", "nothing"}:
        part = outline.about(name)
        assert part is not None
        assert interface_of(part, name) == interface_of(whole, name), name
        lines = [each.line for each in part.functions.get(name, ())]
        assert lines == [each.line for each in whole.functions.get(name, ())]
    assert outline.stars == whole.stars == (".one",)


def test_a_part_that_cannot_be_parsed_is_not_told() -> None:
    outline = Outline(Source(Path("module.py"), "x = (\nclass A(:\n    pass\nb = 1\n"))
    assert outline.about("A") is None
    assert outline.about("nothing") is not None
