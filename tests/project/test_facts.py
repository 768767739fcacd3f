"""Facts: a pure function of one file's text, written down as plain data."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logctx_lint.project.facts import OPAQUE, ImportFacts, ModuleFacts, extract, from_data
from logctx_lint.syntax.source import Source


def facts_of(text: str) -> ModuleFacts:
    source = Source(Path("module.py"), dedent(text))
    return extract(source, source.parse())


def round_trip(facts: ModuleFacts) -> ModuleFacts:
    return from_data(json.loads(json.dumps(facts)))


EVERYTHING = """
    import a.b, c as d
    from . import e
    from ..f import g as h
    from i import *
    X: int = 1
    Y = Z = [1, 2]
    first, (second, third) = pair
    @decorator(1)
    async def coroutine(a: int, /, b="x", *c: str, d: bool = True, **e) -> None: ...
    def generator(): yield 1
    class Outer(Base[int], metaclass=Meta):
        field: list[str] = []
        class Inner: ...
        def __init__(self, x: int):
            self.x = x
            self.y: str = "y"
            if x:
                self.x = None
        @property
        def p(self) -> "int": ...
    if X:
        def late(): ...
    else:
        late = None
    try:
        import j
    except ImportError:
        j = None
"""


def test_facts_survive_being_written_down() -> None:
    facts = facts_of(EVERYTHING)
    assert round_trip(facts) == facts


_NAMES = st.sampled_from(["a", "b", "self", "été", "_x"])
_EXPRESSIONS = st.sampled_from(["1", "f(x)", "[a for a in b]", "'é'", "x.y[0]", "lambda: (1,\n 2)"])
_STATEMENTS = st.recursive(
    st.one_of(
        st.builds("{} = {}".format, _NAMES, _EXPRESSIONS),
        st.builds("{}: {}".format, _NAMES, _EXPRESSIONS),
        st.builds("{}, {} = {}".format, _NAMES, _NAMES, _EXPRESSIONS),
        st.builds("self.{} = {}".format, _NAMES, _EXPRESSIONS),
        st.builds("from .{} import {}".format, _NAMES, _NAMES),
        st.builds("import {}".format, _NAMES),
    ),
    lambda inner: st.builds(
        lambda head, body: head + "\n" + "\n".join(body).replace("\n", "\n  ").join(["  ", ""]),
        st.sampled_from(
            ["class C(B[int]):", "def f(self, x: int = 1):", "async def g():", "if x:", "with y:"]
        ),
        st.lists(inner, min_size=1, max_size=4),
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_STATEMENTS, max_size=6))
def test_facts_of_any_source_survive_being_written_down(statements: list[str]) -> None:
    text = "\n".join(statements)
    facts = facts_of(text)
    assert round_trip(facts) == facts
    assert facts_of(text) == facts


@pytest.mark.parametrize(
    "data",
    [
        [],
        [1, 2, 3, 4, 5],
        [{}, [], {}, {}],
        [{}, [1], {}, {}, {}],
        [{"a": "b"}, [], {}, {}, {}],
        [{"a": [["b"]]}, [], {}, {}, {}],
        [{}, [], {"f": [["f", "1", 1, 1, False, False, [], [], "", []]]}, {}, {}],
        [{}, [], {}, {"v": [["", "", "", "no number"]]}, {}],
        [{}, [], {}, {}, {"C": "no list"}],
        [{}, [], {}, {}, {"C": ["C", 1]}],
    ],
)
def test_data_of_another_form_is_refused(data: list[object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        from_data(data)


def test_imports_keep_their_dots_and_aliases() -> None:
    assert facts_of(EVERYTHING).imports == {
        "a": [ImportFacts("a", "")],
        "d": [ImportFacts("c", "")],
        "e": [ImportFacts(".", "e")],
        "h": [ImportFacts("..f", "g")],
        "j": [ImportFacts("j", "")],
    }


def test_star_imports_are_kept_apart() -> None:
    assert facts_of(EVERYTHING).stars == ("i",)


def test_each_parameter_has_its_kind() -> None:
    function = facts_of(EVERYTHING).functions["coroutine"][0]
    assert [(p.name, p.annotation, p.default, p.kind) for p in function.parameters] == [
        ("a", "int", "", ""),
        ("b", "", '"x"', ""),
        ("c", "str", "", "*"),
        ("d", "bool", "True", "k"),
        ("e", "", "", "**"),
    ]


def test_a_function_begins_at_its_decorators() -> None:
    function = facts_of("x = 1\n@one\n@two\ndef f():\n    pass\n").functions["f"][0]
    assert (function.first_line, function.line, function.end_line) == (2, 4, 5)


def test_generators_are_known_by_a_yield_of_their_own() -> None:
    facts = facts_of("""
        def own(): yield
        def nested():
            def inner(): yield
        def mentioned(): return "yield"
    """)
    assert {name: f[0].is_generator for name, f in facts.functions.items()} == {
        "own": True,
        "nested": False,
        "mentioned": False,
    }


def test_attributes_of_self_name_the_method_that_assigns_them() -> None:
    variables = facts_of(EVERYTHING).classes["Outer"].variables
    assert [(v.value, v.method) for v in variables["x"]] == [
        ("x", "__init__"),
        ("None", "__init__"),
    ]
    assert [(v.annotation, v.value) for v in variables["y"]] == [("str", '"y"')]
    assert [(v.annotation, v.method) for v in variables["field"]] == [("list[str]", "")]


def test_attributes_are_found_whatever_self_is_called() -> None:
    facts = facts_of("class C:\n    def f(this):\n        this.x = 1\n        self.y = 1\n")
    assert list(facts.classes["C"].variables) == ["x"]


def test_unpacking_is_written_as_indexing() -> None:
    facts = facts_of("a, b = f()")
    assert [facts.variables[name][0].value for name in "ab"] == ["(f())[0]", "(f())[1]"]


def test_definitions_in_branches_count() -> None:
    facts = facts_of(EVERYTHING)
    assert "late" in facts.functions
    assert "late" in facts.variables


def test_a_value_too_long_to_matter_is_opaque() -> None:
    facts = facts_of("a = [\n" + "    'x',\n" * 100 + "]\nb = [" + "'xxxxxxxxxx',\n" * 50 + "]\n")
    assert facts.variables["a"][0].value == OPAQUE
    assert facts.variables["b"][0].value != OPAQUE


def test_text_after_other_alphabets_is_cut_where_it_stands() -> None:
    facts = facts_of("class C:\n    é = 'ß'; ñ: Awaitable[int] = f('ö')\n")
    variable = facts.classes["C"].variables["ñ"][0]
    assert (variable.annotation, variable.value) == ("Awaitable[int]", "f('ö')")
