"""Reading a file as Python does, and writing it back as it was."""

from __future__ import annotations

import io
import sys
import tokenize
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logctx_lint.syntax.source import Source, Unreadable, split_lines

PATH = Path("module.py")


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        (b"x = 1\n", "x = 1\n", "utf-8"),
        ("x = 'é'\n".encode(), "x = 'é'\n", "utf-8"),
        ("x = 'é'\n".encode("utf-8-sig"), "x = 'é'\n", "utf-8"),
        ("# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1"), None, "iso-8859-1"),
        (b"x = 1\r\ny = 2\r\n", "x = 1\r\ny = 2\r\n", "utf-8"),
        (b"", "", "utf-8"),
    ],
)
def test_text_is_decoded_as_python_does_and_encoded_as_it_was(
    data: bytes, text: str | None, encoding: str
) -> None:
    source = Source.decode(PATH, data)
    assert source.encoding == encoding
    assert text is None or source.text == text
    assert source.encode(source.text) == data


@pytest.mark.parametrize(
    "data",
    [b"x = '\xe9'\n", b"# coding: no-such-encoding\n", b"\xef\xbb\xbf# coding: latin-1\n"],
)
def test_what_python_cannot_decode_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable, match="cannot be decoded"):
        Source.decode(PATH, data)


def test_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="cannot be read: No such file"):
        Source.read(tmp_path / "missing.py")


def test_a_folder_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="cannot be read"):
        Source.read(tmp_path)


def test_a_syntax_error_says_where_and_for_which_python() -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    with pytest.raises(Unreadable, match=f"cannot be parsed by Python {version}: ") as caught:
        Source(PATH, "x = 1\ny = (\n").parse()
    assert caught.value.line == 2


@pytest.mark.parametrize(
    "text", ["x = 1\0\n", "(" * 10000 + ")" * 10000, "x = " + "-" * 100000 + "1"]
)
def test_text_that_breaks_the_parser_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable, match="cannot be parsed"):
        Source(PATH, text).parse()


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("a", ["a"]),
        ("a\n", ["a\n"]),
        ("a\nb", ["a\n", "b"]),
        ("a\r\nb\rc\n", ["a\r\n", "b\r", "c\n"]),
        ("a\x0cb\x1c\u2028c\n", ["a\x0cb\x1c\u2028c\n"]),
        ("\n\n", ["\n", "\n"]),
    ],
)
def test_lines_end_where_python_ends_them(text: str, lines: list[str]) -> None:
    assert split_lines(text) == lines


@given(st.text(alphabet="ab\n\r\x0c\x1c\u2028é", max_size=20))
def test_lines_are_all_of_the_text(text: str) -> None:
    assert "".join(split_lines(text)) == text
    universal = io.StringIO(text, newline=None).read().split("\n")
    assert len(split_lines(text)) == max(len(universal) - (not universal[-1]), 1)


def test_lines_are_those_of_the_tokenizer() -> None:
    text = "x = 1 # \x0c\r\ny = '''\n'''\n"
    rows = {token.start[0] for token in tokenize.generate_tokens(io.StringIO(text).readline)}
    assert max(rows) == len(Source(PATH, text).lines) + 1


def test_mentions_looks_at_the_whole_text() -> None:
    source = Source(PATH, "x = 1\nif (y := 2): ...\n")
    assert source.mentions(":=")
    assert not source.mentions("yield")


@given(st.text("ab\n\r\f"))
def test_lines_with_a_word_are_those_that_hold_it(text: str) -> None:
    source = Source(PATH, text)
    wanted = [number for number, line in enumerate(source.lines, 1) if "ab" in line]
    assert source.lines_with("ab") == wanted
