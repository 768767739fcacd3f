"""Rules' documentation: the docstrings of their modules, read, shown and written to a page.

A rule's docstring is Markdown. Its first paragraph is the summary; then come the sections `## Why`,
`## Bad` and `## Good` (each with one or more ```python blocks, which tests run through the
engine), `## Fix`, and if need be `## Settings` and `## Use instead`.

`python -m logctx_lint.rules.docs` prints docs/rules.md.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from logctx_lint.config.codes import CODES, NOT_ANALYSED, OPT_IN, RULE_CODES, UNUSED_NOQA, url
from logctx_lint.rules import RULES
from logctx_lint.rules.rule import Rule

REQUIRED = ("Why", "Bad", "Good", "Fix")
OPTIONAL = ("Settings", "When not to use it", "Use instead")

_NOT_ANALYSED_PAGE = """A file, or a part of it, could not be analysed.

## Why

The file cannot be read or decoded, is not valid for the Python that runs the linter, is nested too
deeply, takes longer than the setting `time-limit` allows, or meets an error inside the linter. The
message says which. The run goes on with the other files, but of this one, or of the function that
is nested too deeply, nothing is known: silence would look like clean code.

flake8 itself reports a syntax error, as E999, and calls no plugin: select E9 besides LCX there.

## Fix

None. Run the linter on a Python at least as new as the code, or exclude the file.
"""

# Where docs/runtime.md teaches what a rule says to use instead.
_TAUGHT_AT = {
    "LoggingContext": "what-a-log-context-is",
    "ObservableDeferred": "observabledeferred",
    "PreserveLoggingContext": "what-a-log-context-is",
    "async_render": "web-requests",
    "blocking_render": "web-requests",
    "defer_to_thread": "defer_to_thread-and-run_in_executor",
    "delay_cancellation": "stop_cancellation-and-delay_cancellation",
    "gather_optional_coroutines": "unwrapfirsterror-and-the-gatherers",
    "make_deferred_yieldable": "make_deferred_yieldable",
    "maybe_awaitable": "unwrapfirsterror-and-the-gatherers",
    "run_as_background_process": "run_as_background_process",
    "run_in_background": "run_in_background",
    "stop_cancellation": "stop_cancellation-and-delay_cancellation",
    "tasks.run_in_background": "task-contexts-on-asyncio",
    "testing.cancel_at_each_await": "cancel_at_each_await",
    "unwrapFirstError": "unwrapfirsterror-and-the-gatherers",
    "yieldable_gather_results": "unwrapfirsterror-and-the-gatherers",
}
_RUNTIME_NAME = re.compile(r"`logctx_lint\.runtime\.([\w.]+)`")

_UNUSED_NOQA_PAGE = """A comment `# noqa: LCX...` silences nothing.

## Why

What it silenced was cured, or moved away. Left where it is, it would silence the next mistake on
its line, too.

Only `logctx-lint check` says so: flake8 does not tell a plugin what it silenced. Comments without
codes, codes of other tools and rules that the run leaves out are not judged.

ruff takes these comments for unused on its own account, and removes them, unless its settings say
`external = ["LCX"]` below `[tool.ruff.lint]`.

## Fix

Removes the codes that are unused, or the whole comment. Safe.
"""

# Of the codes that are no rule.
_OTHER_PAGES = {NOT_ANALYSED: _NOT_ANALYSED_PAGE, UNUSED_NOQA: _UNUSED_NOQA_PAGE}

_CODE_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Page:
    """One rule's documentation."""

    code: str
    name: str
    summary: str
    sections: Mapping[str, str]
    """Heading to Markdown, in the order of the docstring."""

    def examples(self, heading: str) -> list[str]:
        """The code blocks of a section, `Bad` or `Good`."""
        return _CODE_BLOCK.findall(self.sections[heading])


def page(code: str) -> Page:
    """The documentation of one code; KeyError when there is no such rule."""
    if code in _OTHER_PAGES:
        return parse(code, _OTHER_PAGES[code], required=("Why", "Fix"))
    module = {each.code: each.module for each in RULE_CODES}[code]
    return parse(code, inspect.getdoc(importlib.import_module(module)) or "")


def parse(code: str, docstring: str, required: tuple[str, ...] = REQUIRED) -> Page:
    """Read a rule's docstring; raises ValueError when a section is missing or unknown."""
    summary, *parts = re.split(r"^## (.+)\n", docstring.strip(), flags=re.MULTILINE)
    sections = {
        heading.strip(): body.strip() for heading, body in zip(parts[::2], parts[1::2], strict=True)
    }
    missing = [heading for heading in required if not sections.get(heading)]
    unknown = [heading for heading in sections if heading not in (*REQUIRED, *OPTIONAL)]
    if not summary.strip() or missing or unknown:
        raise ValueError(f"{code}: summary {summary!r}, missing {missing}, unknown {unknown}")
    return Page(code, CODES[code], summary.strip(), sections)


def table() -> list[dict[str, str]]:
    """One row for each code, those that are no rule first."""
    rows = [
        _row(NOT_ANALYSED, "always", "none"),
        _row(UNUSED_NOQA, "command line", "remove it (safe)"),
    ]
    return rows + [_row(rule.code, _on(rule), rule.fixes) for rule in RULES]


def _row(code: str, on: str, fixes: str) -> dict[str, str]:
    summary = " ".join(page(code).summary.split())
    return {
        "code": code,
        "name": CODES[code],
        "on": on,
        "fixes": fixes,
        "summary": summary,
        "url": url(code),
    }


def _on(rule: Rule) -> str:
    return f"opt-in, {rule.applies.value}" if rule.code in OPT_IN else rule.applies.value


def in_terminal(shown: Page) -> str:
    """A page as plain text."""
    title = f"{shown.code} {shown.name}"
    lines = [title, "=" * len(title), "", shown.summary]
    for heading, text in shown.sections.items():
        # Fences are all that keeps two examples apart.
        body = text.replace("```\n\n```python\n", "```\n\nor\n\n```python\n")
        code = _CODE_BLOCK.sub(lambda block: textwrap.indent(block[1].rstrip(), "    "), body)
        lines += ["", heading.upper(), "", code]
    return "\n".join([*lines, "", url(shown.code), ""])


def markdown() -> str:
    """All of docs/rules.md."""
    return "\n".join(_markdown_lines())


def _markdown_lines() -> Iterator[str]:
    yield "# Rules"
    yield ""
    yield "<!-- Generated by `python -m logctx_lint.rules.docs > docs/rules.md`: do not edit. -->"
    yield ""
    yield "| code | name | on | fixes |"
    yield "|---|---|---|---|"
    rows = table()
    for row in rows:
        code = row["code"]
        yield f"| [{code}](#{code.lower()}) | {row['name']} | {row['on']} | {row['fixes']} |"
    for row in rows:
        shown = page(row["code"])
        yield ""
        yield f'<a id="{shown.code.lower()}"></a>'
        yield ""
        yield f"## {shown.code} {shown.name}"
        yield ""
        yield shown.summary
        for heading, body in shown.sections.items():
            yield ""
            yield f"### {heading}"
            yield ""
            yield _RUNTIME_NAME.sub(_link, body)
    yield ""


def _link(name: re.Match[str]) -> str:
    """A name of the reference runtime, with a link to where it is taught."""
    return f"[{name[0]}](runtime.md#{_TAUGHT_AT[name[1]]})"


if __name__ == "__main__":
    sys.stdout.write(markdown())
