"""The files of a new rule: `python -m logctx_lint.rules.new LCX310 cleanup-missed --family cancellation`.

Writes the rule's module with an outline of its page, one fixture that is flagged and one that is silent,
and the line in the registry. Everything after that is the rule itself: see CONTRIBUTING.md.
"""  # noqa: E501

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from logctx_lint.config.codes import CODES, RULE_CODES, Code
from logctx_lint.errors import UserError

_REPOSITORY = Path(__file__).parents[2]
_FAMILIES = tuple(dict.fromkeys(each.family for each in RULE_CODES))

_MODULE = '''"""One sentence: what is wrong with the code that is flagged.

## Why

What goes wrong at run time, and why nobody notices.

## Bad

```python
import asyncio


async def bad() -> None:
    await asyncio.sleep(0)
```

## Good

```python
import asyncio


async def good() -> None:
    await asyncio.sleep(0)
```

## Fix

None.
"""

from __future__ import annotations

import ast

from logctx_lint.analysis.context import TreeContext
from logctx_lint.rules.rule import Rule


def check(context: TreeContext) -> None:
    for function, _ in context.unit.nodes(ast.AsyncFunctionDef):
        if function.name == "bad":
            context.report(RULE.code, function, "what is wrong, why it is known, what to do")


RULE = Rule(code="{code}", fixes="none", check=check)
'''

_FLAGGED = """async def bad() -> None:  # {code}: 1
    pass
"""
_SILENT = """async def good() -> None:
    pass
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Write the files of one rule; 2 when that cannot be done."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("code", help="LCX and three digits")
    parser.add_argument("name", help="lower case words with dashes: cleanup-missed")
    parser.add_argument("--family", choices=_FAMILIES, required=True)
    parser.add_argument("--repository", type=Path, default=_REPOSITORY, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    try:
        for path in write(Code(args.code, args.name, args.family), args.repository):
            print(f"wrote {path.relative_to(args.repository)}")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("next: write the rule, then python -m logctx_lint.rules.docs > docs/rules.md")
    print(f"and pytest tests/rules -k {args.code}")
    return 0


def write(rule: Code, repository: Path) -> list[Path]:
    """Write the files of a rule below a checkout; raises UserError, and then writes nothing."""
    if not re.fullmatch(r"LCX\d{3}", rule.code):
        raise UserError(f'"{rule.code}" is no code: LCX and three digits')
    if not re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name):
        raise UserError(f'"{rule.name}" is no name: lower case words with dashes')
    if rule.code in CODES or rule.name in CODES.values():
        raise UserError(f"{rule.code} {rule.name}: the code or the name is taken")
    module = repository.joinpath(*rule.module.split(".")).with_suffix(".py")
    fixtures = repository / "tests" / "fixtures" / rule.code.lower()
    registry = repository / "logctx_lint" / "config" / "codes.py"
    if not registry.is_file():
        raise UserError(f"{repository}: not a checkout of logctx-lint")
    texts = {
        module: _MODULE.replace("{code}", rule.code),
        fixtures / "flagged.py": _FLAGGED.replace("{code}", rule.code),
        fixtures / "silent.py": _SILENT,
        registry: _registered(registry.read_text("utf-8"), rule),
    }
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return list(texts)


def _registered(text: str, rule: Code) -> str:
    """The text of the registry with a line for a rule, behind those of smaller codes."""
    line = f'    Code("{rule.code}", "{rule.name}", "{rule.family}"),\n'
    lines = text.splitlines(keepends=True)
    listed = [i for i, each in enumerate(lines) if re.match(r'    Code\("LCX\d', each)]
    before = [i for i in listed if lines[i].split('"')[1] < rule.code]
    lines.insert((before[-1] if before else listed[0] - 1) + 1, line)
    return "".join(lines)


if __name__ == "__main__":
    sys.exit(main())
