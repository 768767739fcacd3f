"""A page for each rule: its section of docs/rules.md, and what references.toml adds.

docs/rules.md is generated from the rules' own documentation, so that these pages are, too.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FAMILIES = {
    "LCX0": "About the run",
    "LCX1": "Awaitables",
    "LCX2": "Background work",
    "LCX3": "Cancellation",
    "LCX4": "Log contexts",
    "LCX5": "Deferreds and web requests",
}
_SECTION = re.compile(r'^<a id="(lcx\d+)"></a>$', re.MULTILINE)
_TITLE = re.compile(r"## (LCX\d+) (\S+)\n")
_LINK = re.compile(r"\]\((?!https?://|#)([^)]*)\)")
_OWN_ANCHOR = re.compile(r"\]\(#(lcx\d+)\)")
_CELL = re.compile(r"\s*\|\s*")


class DocumentationError(Exception):
    """docs/rules.md or references.toml is not what is expected here."""


@dataclass(frozen=True)
class Rule:
    """One section of docs/rules.md."""

    code: str
    name: str
    text: str
    """Markdown, below the heading."""
    properties: Mapping[str, str]
    """Its row in the table: heading of the column to Markdown."""

    @property
    def path(self) -> str:
        return f"rules/{self.code}.md"

    @property
    def summary(self) -> str:
        return " ".join(self.text.split("\n### ")[0].split())


@dataclass(frozen=True)
class Equivalent:
    """What another tool reports of the same mistake."""

    tool: str
    check: str
    url: str
    note: str


@dataclass(frozen=True)
class References:
    """What references.toml has for one rule."""

    found: str = ""
    """A real bug, in Markdown."""
    when_not: str = ""
    equivalents: Sequence[Equivalent] = field(default_factory=tuple)
    links: Sequence[tuple[str, str]] = field(default_factory=tuple)
    """Title and address."""


def read(path: Path) -> list[Rule]:
    """The rules of docs/rules.md."""
    head, *parts = _SECTION.split(path.read_text(encoding="utf-8"))
    rows = _table(head)
    rules = []
    for text in parts[1::2]:
        title = _TITLE.match(text.lstrip())
        if title is None:
            raise DocumentationError(f"no title: {text[:80]!r}")
        code, name = title.groups()
        body = text.lstrip()[title.end() :].strip()
        rules.append(Rule(code, name, body, rows[code]))
    if not rules:
        raise DocumentationError(f"{path}: no rules")
    return rules


def read_references(path: Path, rules: Sequence[Rule]) -> dict[str, References]:
    """references.toml; an entry for a rule that does not exist is an error."""
    data: dict[str, dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))
    tools = data.pop("tools")
    unknown = data.keys() - {rule.code for rule in rules}
    if unknown:
        raise DocumentationError(f"{path}: no such rule: {sorted(unknown)}")
    return {
        code: References(
            found=entry.get("found", "").strip(),
            when_not=entry.get("when-not", "").strip(),
            equivalents=tuple(_equivalent(each, tools) for each in entry.get("same", ())),
            links=tuple((title, url) for title, url in entry.get("links", {}).items()),
        )
        for code, entry in data.items()
    }


def _equivalent(entry: Mapping[str, str], tools: Mapping[str, str]) -> Equivalent:
    tool, check = entry["tool"], entry["check"]
    url = tools[tool].format(check=check, lower=check.lower())
    return Equivalent(tool, check, entry.get("url", url), entry.get("note", ""))


def page(rule: Rule, references: References | None) -> str:
    """The Markdown of a rule's page."""
    return "\n".join(_page(rule, references or References())) + "\n"


def _page(rule: Rule, references: References) -> Iterator[str]:
    summary, *rest = rule.text.split("\n### ", 1)
    yield f"---\ndescription: {rule.summary!r}\n---\n"
    yield f"# {rule.code} {rule.name}\n"
    yield _relocated(summary)
    yield ""
    for heading, value in rule.properties.items():
        if heading not in ("code", "name"):
            yield f"- **{heading}**: {value}"
    if rest:
        yield _relocated("\n## " + rest[0].replace("\n### ", "\n## "))
    if references.when_not:
        yield f"\n## When not to use it\n\n{_relocated(references.when_not)}"
    if references.found:
        yield f"\n## A bug that it found\n\n{_relocated(references.found)}"
    if references.equivalents:
        yield "\n## What other tools report\n\n| check | |\n|---|---|"
        for each in references.equivalents:
            yield f"| {each.tool} <br> [`{each.check}`]({each.url}) | {each.note} |"
    if references.links:
        yield "\n## References\n"
        yield from (f"- [{title}]({url})" for title, url in references.links)


def overview(rules: Sequence[Rule]) -> str:
    """The Markdown of the list of rules, by family."""
    lines = [
        "# Rules",
        "",
        "A code's first digit is its family. `--select`, `--ignore` and `# noqa` take codes and",
        "beginnings of codes: `LCX3` is all of cancellation. All of this in the terminal:",
        "`logctx-lint rules`, `logctx-lint explain LCX301`. On one page, to search in or to print:",
        "[all rules](../rules.md).",
    ]
    for family, title in FAMILIES.items():
        lines += ["", f"## {title}", "", "| code | what goes wrong |", "|---|---|"]
        for rule in rules:
            if rule.code.startswith(family):
                link = f"[{rule.code}]({rule.code}.md)"
                lines.append(f"| {link} | **{rule.name}** <br> {rule.summary} |")
    return "\n".join(lines) + "\n"


def navigation(rules: Sequence[Rule]) -> list[Any]:
    """The entries of the navigation."""
    strangers = [rule.code for rule in rules if rule.code[:4] not in FAMILIES]
    if strangers:
        raise DocumentationError(f"no family has a title for {strangers}")
    families = [
        {
            title: [
                {f"{rule.code} {rule.name}": rule.path}
                for rule in rules
                if rule.code.startswith(family)
            ]
        }
        for family, title in FAMILIES.items()
    ]
    return ["rules/index.md", *families, {"All on one page": "rules.md"}]


def _table(text: str) -> dict[str, dict[str, str]]:
    """The first table: for each code, heading of a column to what stands there."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    if len(lines) < 3:
        raise DocumentationError("docs/rules.md has no table")
    headings = _cells(lines[0])
    rows = {}
    for line in lines[2:]:
        cells = _cells(line)
        code = re.search(r"LCX\d+", cells[0])
        if code is None or len(cells) != len(headings):
            raise DocumentationError(f"docs/rules.md: {line}")
        rows[code[0]] = dict(zip(headings, cells, strict=True))
    return rows


def _cells(line: str) -> list[str]:
    return _CELL.split(line.strip().strip("|").strip())


def _relocated(text: str) -> str:
    """Markdown of a page in docs/, with links that are right one folder below."""
    text = _OWN_ANCHOR.sub(lambda match: f"]({match[1].upper()}.md)", text)
    return _LINK.sub(lambda match: f"]({_path(match[1])})", text)


def _path(link: str) -> str:
    return link if re.match(r"LCX\d+\.md", link) else f"../{link}"
