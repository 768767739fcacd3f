"""The repository's address: pyproject.toml names it, and everything else follows from there.

Where a file has to spell it out, as an action in a recipe or the manifest of the editor's
extension, `python docs/site/project_urls.py` writes what pyproject.toml says; `--check` lists the
files that say something else.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_ROOT = Path(__file__).resolve().parent.parent.parent

# OWNER/logctx-lint, as an address has it and as `uses:` of a workflow does.
_MENTION = re.compile(r"(?<=github\.com/)[\w.-]+/logctx-lint\b|(?<=uses: )[\w.-]+/logctx-lint(?=@)")

# The files that spell it out.
_FILES = (
    "README.md",
    "pyproject.toml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/*.md",
    "docs/site/*.toml",
    "editors/vscode/*.md",
    "editors/vscode/package.json",
)


def repository() -> str:
    """The address, such as `https://github.com/OWNER/logctx-lint`."""
    text = (_ROOT / "pyproject.toml").read_text(encoding="utf-8")
    address: str = tomllib.loads(text)["project"]["urls"]["Repository"]
    return address.rstrip("/")


def led_to_repository(markdown: str) -> str:
    """A page whose links out of `docs/` lead to the repository, as they do where it is browsed."""
    return re.sub(r"(?<=\]\()\.\./", f"{repository()}/blob/main/", markdown)


def changed() -> dict[Path, str]:
    """The files that name another repository, as they should be."""
    name = "/".join(repository().split("/")[-2:])
    found = {}
    for path in sorted(path for pattern in _FILES for path in _ROOT.glob(pattern)):
        text = path.read_text(encoding="utf-8")
        wanted = _MENTION.sub(name, text)
        if wanted != text:
            found[path] = wanted
    return found


def main(arguments: list[str]) -> int:
    """Write the address into every file, or with `--check` say where it differs."""
    only_check = arguments == ["--check"]
    if arguments and not only_check:
        print(__doc__)
        return 2
    files = changed()
    for path, text in files.items():
        print(path.relative_to(_ROOT))
        if not only_check:
            path.write_text(text, encoding="utf-8")
    return 1 if only_check and files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
