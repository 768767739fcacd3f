"""Applying fixes: what changes, what must not, and how a file is written."""

from __future__ import annotations

import ast
import os
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logctx_lint.findings import Applicability, Edit, Finding, Fix, Span
from logctx_lint.fixes import apply
from logctx_lint.syntax.source import Source, split_lines


def edit(line: int, column: int, text: str, *, to: tuple[int, int] | None = None) -> Edit:
    end_line, end_column = to or (line, column)
    return Edit(Span(line, column, end_line, end_column), text)


def safe(*edits: Edit) -> Fix:
    return Fix("mend it", Applicability.SAFE, edits)


def unsafe(*edits: Edit) -> Fix:
    return Fix("mend it", Applicability.UNSAFE, edits)


def finding(path: Path, *given: Fix, line: int = 1) -> Finding:
    return Finding("LCX101", "bad", path, Span(line, 0, line, 1), fixes=given)


def calls_to_await(source: Source) -> list[Finding]:
    """A rule for these tests: a statement `f()` wants `await`, and an import each."""
    found = []
    for number, line in enumerate(source.lines, 1):
        body = line.lstrip()
        if body.startswith("f()"):
            column = len(line) - len(body)
            edits = [edit(number, column, "await ")]
            if "import f" not in map(str.rstrip, source.lines):
                edits.insert(0, edit(1, 0, "import f\n"))
            found.append(finding(source.path, safe(*edits), line=number))
    return found


# One round on text


def test_an_edit_replaces_its_span() -> None:
    text, done = apply.apply("x = abc\n", [safe(edit(1, 4, "y", to=(1, 7)))])
    assert (text, len(done)) == ("x = y\n", 1)


def test_an_edit_may_span_lines() -> None:
    text, _ = apply.apply("f(\n  1,\n)\ng()\n", [safe(edit(1, 1, "()", to=(3, 1)))])
    assert text == "f()\ng()\n"


def test_an_insertion_behind_the_last_line_appends() -> None:
    assert apply.apply("x\n", [safe(edit(2, 0, "y\n"))])[0] == "x\ny\n"


def test_columns_count_characters() -> None:
    assert apply.apply("'äöü😀' + x\n", [safe(edit(1, 9, "y", to=(1, 10)))])[0] == "'äöü😀' + y\n"


def test_a_fix_outside_of_the_text_is_dropped() -> None:
    far = [edit(9, 0, "x"), edit(1, 9, "x"), edit(0, 0, "x"), edit(1, 2, "x", to=(1, 0))]
    for each in far:
        assert apply.apply("abc\n", [safe(each)]) == ("abc\n", [])


def test_all_edits_of_a_fix_are_dropped_with_one() -> None:
    text, done = apply.apply("abc\n", [safe(edit(1, 0, "x"), edit(9, 0, "x"))])
    assert (text, done) == ("abc\n", [])


def test_a_fix_whose_edits_overlap_is_dropped() -> None:
    torn = safe(edit(1, 0, "x", to=(1, 2)), edit(1, 1, "y", to=(1, 3)))
    assert apply.apply("abc\n", [torn]) == ("abc\n", [])


def test_a_fix_without_edits_is_not_applied() -> None:
    assert apply.apply("abc\n", [safe()]) == ("abc\n", [])


def test_insertions_of_one_fix_at_one_place_keep_their_order() -> None:
    assert apply.apply("x\n", [safe(edit(1, 0, "b+"), edit(1, 0, "a+"))])[0] == "b+a+x\n"


def test_of_two_overlapping_fixes_the_earlier_in_the_text_is_applied() -> None:
    first, second = safe(edit(1, 0, "x", to=(1, 4))), safe(edit(1, 2, "y", to=(1, 6)))
    for order in ([first, second], [second, first]):
        assert apply.apply("abcdef\n", order) == ("xef\n", [first])


def test_two_fixes_that_touch_are_not_applied_together() -> None:
    first, second = safe(edit(1, 0, "x", to=(1, 3))), safe(edit(1, 3, "y"))
    assert apply.apply("abcdef\n", [second, first]) == ("xdef\n", [first])


def test_an_import_that_two_fixes_add_is_added_once() -> None:
    both = [safe(edit(1, 0, "import f\n"), edit(n, 0, "await ")) for n in (2, 3)]
    text, done = apply.apply("\nf()\nf()\n", both)
    assert text == "import f\n\nawait f()\nawait f()\n"
    assert done == both


def test_a_fix_that_breaks_the_syntax_is_dropped_and_others_are_not() -> None:
    bad, good = safe(edit(1, 0, ")", to=(1, 1))), safe(edit(2, 0, "y", to=(2, 1)))
    assert apply.apply("a\nb\n", [bad, good]) == ("a\ny\n", [good])


def test_inserted_lines_take_the_line_ending_of_the_file() -> None:
    assert apply.apply("x\r\ny\r\n", [safe(edit(2, 0, "a\nb\r\n"))])[0] == "x\r\na\r\nb\r\ny\r\n"


# Rounds


def test_fixes_are_applied_until_nothing_is_left() -> None:
    fixed = apply.fix(Source(Path("x.py"), "f()\nf()\nif 1:\n\tf()\n"), calls_to_await)
    assert fixed.source.text == "import f\nawait f()\nawait f()\nif 1:\n\tawait f()\n"
    assert fixed.findings == []
    assert len(fixed.applied) == 3


def test_a_fix_that_does_not_cure_ends_some_time() -> None:
    def check(source: Source) -> list[Finding]:
        return [finding(source.path, safe(edit(1, 0, "x;")))]

    assert apply.fix(Source(Path("x.py"), "x\n"), check).findings


def test_unsafe_fixes_are_applied_only_when_asked_for() -> None:
    def check(source: Source) -> list[Finding]:
        one = finding(source.path, unsafe(edit(1, 0, "y", to=(1, 1))))
        return [one] if source.text.startswith("x") else []

    source = Source(Path("x.py"), "x\n")
    assert apply.fix(source, check).source.text == "x\n"
    assert apply.fix(source, check, unsafe=True).source.text == "y\n"


def test_the_first_fix_is_the_one_that_counts() -> None:
    two = finding(Path("x.py"), unsafe(edit(1, 0, "a")), safe(edit(1, 0, "b")))
    assert apply.applicable(two, unsafe=False) is None
    assert apply.applicable(two, unsafe=True) is two.fixes[0]
    assert apply.applicable(finding(Path("x.py")), unsafe=True) is None


# Properties

_PIECES = st.sampled_from(
    ["f()", "x = 'ä\u2028😀'", "# \x0c comment", "if 1:\n\tf()", "", "y = 1 ; z = 2 \\\n  + 3"]
)
_ENDINGS = st.sampled_from(["\n", "\r\n", "\r"])
_TEXTS = st.builds(
    lambda pieces, end, last: end.join("\n".join(pieces).split("\n")) + last,
    st.lists(_PIECES, max_size=8),
    _ENDINGS,
    st.sampled_from(["", "\n"]),
)


@given(_TEXTS)
def test_a_second_run_changes_nothing(text: str) -> None:
    once = apply.fix(Source(Path("x.py"), text), calls_to_await).source
    ast.parse(once.text)
    again = apply.fix(once, calls_to_await)
    assert again.applied == ()
    assert again.source.text == once.text


@given(_TEXTS)
def test_characters_outside_the_edits_stay(text: str) -> None:
    fixed = apply.fix(Source(Path("x.py"), text), calls_to_await).source.text
    kept = fixed.replace("await ", "")
    inserted = "import f" + (apply._LINE_END.search(text) or ["\n"])[0]
    assert kept.removeprefix(inserted) == text or kept == text


@st.composite
def _texts_and_fixes(draw: st.DrawFn) -> tuple[str, list[Fix]]:
    text = draw(st.text(st.sampled_from("ab(\n\r\x0c\té"), max_size=30))
    lines = split_lines(text)
    place = st.integers(1, len(lines)).flatmap(
        lambda line: st.tuples(st.just(line), st.integers(0, len(lines[line - 1])))
    )
    edits = st.builds(
        lambda one, other, new: Edit(Span(*min(one, other), *max(one, other)), new),
        place,
        place,
        st.sampled_from(["", "c", "c\n", "()"]),
    )
    return text, draw(st.lists(st.builds(safe, edits, edits), max_size=5))


@given(_texts_and_fixes())
def test_one_round_does_not_depend_on_the_order_of_the_fixes(
    drawn: tuple[str, list[Fix]],
) -> None:
    text, some = drawn
    assert apply.apply(text, some)[0] == apply.apply(text, some[::-1])[0]


@given(_texts_and_fixes())
def test_the_edits_of_a_fix_joined_do_the_same(drawn: tuple[str, list[Fix]]) -> None:
    text, some = drawn
    lines = [*split_lines(text), ""]

    def offset(line: int, column: int) -> int:
        return sum(map(len, lines[: line - 1])) + column

    for each in some:
        after, done = apply.apply(text, [each])
        edit = apply.as_one_edit(Source(Path("x.py"), text), each)
        assert (edit is not None) == bool(done)
        if edit:
            span = edit.span
            start, end = offset(span.line, span.column), offset(span.end_line, span.end_column)
            assert text[:start] + edit.text + text[end:] == after


@given(_texts_and_fixes())
def test_what_was_applied_parses(drawn: tuple[str, list[Fix]]) -> None:
    text, some = drawn
    result, done = apply.apply(text, some)
    if done:
        ast.parse(result)
    else:
        assert result == text


# Files


@pytest.mark.parametrize(
    "data",
    [
        b"x = 1\r\nf()\n\x0c\ny = '\xc3\xa4'\r",
        b"\xef\xbb\xbfx = '\xc3\xa4'\nf()\n",
        b"# -*- coding: latin-1 -*-\nx = '\xe4'\nf()",
        b"if 1:\n\tf()\n        # comment\n",
    ],
    ids=["mixed line endings", "byte order mark", "declared encoding", "tabs"],
)
def test_bytes_outside_the_edit_stay(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.py"
    path.write_bytes(data)
    before = Source.read(path)
    line, column = next(
        (number, text.index("f()")) for number, text in enumerate(before.lines, 1) if "f()" in text
    )
    text, _ = apply.apply(before.text, [safe(edit(line, column, "await "))])
    apply.write(before, replace(before, text=text), tmp_path)
    assert path.read_bytes() == data.replace(b"f()", b"await f()")


def test_the_mode_of_a_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text("f()\n")
    path.chmod(0o751)
    before = Source.read(path)
    apply.write(before, replace(before, text="g()\n"), tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o751
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text("f()\n")
    before = Source.read(path)
    path.write_text("f() # new\n")
    with pytest.raises(apply.NotWritten, match="changed on disk"):
        apply.write(before, replace(before, text="g()\n"), tmp_path)
    assert path.read_text() == "f() # new\n"


def test_a_file_that_vanished_is_reported(tmp_path: Path) -> None:
    before = Source(tmp_path / "x.py", "f()\n")
    with pytest.raises(apply.NotWritten, match="No such file"):
        apply.write(before, replace(before, text="g()\n"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_hold_the_fix_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_bytes(b"# coding: latin-1\nf()\n")
    before = Source.read(path)
    with pytest.raises(apply.NotWritten, match="encoding cannot hold"):
        apply.write(before, replace(before, text="'\u20ac'\n"), tmp_path)
    assert path.read_bytes() == b"# coding: latin-1\nf()\n"


def test_a_file_whose_encoding_does_not_round_trip_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    # UTF-7 may write one and the same character in several ways.
    path.write_bytes(b"# coding: utf-7\nx = '+AGE-'\n")
    before = Source.read(path)
    with pytest.raises(apply.NotWritten, match="same bytes"):
        apply.write(before, replace(before, text=before.text + "y\n"), tmp_path)


def test_a_link_inside_the_project_is_followed(tmp_path: Path) -> None:
    target = tmp_path / "x.py"
    target.write_text("f()\n")
    link = tmp_path / "link.py"
    link.symlink_to(target)
    before = Source.read(link)
    apply.write(before, replace(before, text="g()\n"), tmp_path)
    assert target.read_text() == "g()\n"
    assert link.is_symlink()


def test_a_link_out_of_the_project_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "x.py"
    target.write_text("f()\n")
    project = tmp_path / "project"
    project.mkdir()
    (project / "link.py").symlink_to(target)
    before = Source.read(project / "link.py")
    with pytest.raises(apply.NotWritten, match="leads out of the project"):
        apply.write(before, replace(before, text="g()\n"), project)
    assert target.read_text() == "f()\n"


def test_a_folder_link_out_of_the_project_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.py").write_text("f()\n")
    project = tmp_path / "project"
    project.mkdir()
    (project / "linked").symlink_to(outside)
    before = Source.read(project / "linked" / "x.py")
    with pytest.raises(apply.NotWritten, match="leads out of the project"):
        apply.write(before, replace(before, text="g()\n"), project)


def test_a_failed_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.py"
    path.write_text("f()\n")
    before = Source.read(path)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(apply.NotWritten, match="No space left"):
        apply.write(before, replace(before, text="g()\n"), tmp_path)
    assert path.read_text() == "f()\n"
    assert list(tmp_path.iterdir()) == [path]


# Diffs


@pytest.mark.parametrize("text", ["f()\n", "f()", "x = 1\r\nf()\r\n", "x = '\x0c\u2028'\nf()"])
def test_a_diff_can_be_applied_with_git(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.py"
    path.write_bytes(text.encode())
    before = Source(Path("x.py"), text)
    after = apply.fix(before, calls_to_await).source
    subprocess.run(
        ["git", "apply", "-"],
        input=apply.diff(before, after).encode(),
        cwd=tmp_path,
        check=True,
        env={**os.environ, "GIT_DIR": str(tmp_path / "none")},
    )
    assert path.read_bytes() == after.text.encode()


def test_a_diff_of_nothing_is_empty() -> None:
    source = Source(Path("x.py"), "f()\n")
    assert apply.diff(source, source) == ""
