"""Positions of nodes are those that libcst's own provider gives."""

import libcst as cst
import pytest
from libcst.metadata import MetadataWrapper, PositionProvider

from logctx_lint.findings import Span
from logctx_lint.syntax.cst_positions import Positions

_TEXTS = [
    "x = 1",
    "f(a, # why\n  b,\n) ; g( (yield) )\r\n\r\nx = 2\r\n",
    "if 1:\n    @decorated  # so\n    async def f(a, *, b=1) -> None:\n\n        # first\n"
    "        async with a as b, c: return (await (b), [c for c in d])\n",
    "try :\n\tx\nexcept* (A , B) as e :\n\traise\nelse:\n\tpass\nfinally:\n\n\tdel x\n\n# end",
    'x = """ä\nb""" f"{ y !r:>{z}}" "c" \\\n  + a . b, lambda *a: b\n',
    "match a :\n  case [1, *_] | B(c = 2) if c: pass\n",
    "while ( not a ) :\n  class C ( B ) : pass\n  continue\nelse : x : int = ...\n",
]


@pytest.mark.parametrize("text", _TEXTS)
def test_they_are_those_of_libcst(text: str) -> None:
    wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
    expected = wrapper.resolve(PositionProvider)
    positions = Positions(wrapper.module, 10)
    assert expected
    for node, place in expected.items():
        start, end = place.start, place.end
        assert positions[node] == Span(start.line + 10, start.column, end.line + 10, end.column)
