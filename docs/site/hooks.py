"""What mkdocs does besides rendering Markdown: pages and pictures that are made, not written.

- a page for each rule, out of docs/rules.md and references.toml;
- the overview of the rules, and their places in the navigation;
- pictures of terminal sessions;
- the changelog; and the repository's address out of pyproject.toml.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parent.parent
sys.path.insert(0, str(_HERE))

import project_urls  # noqa: E402
import rule_pages  # noqa: E402
import terminal  # noqa: E402


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill in the repository and the rules' part of the navigation."""
    config.repo_url = project_urls.repository()
    config.repo_name = "logctx-lint"
    rules = rule_pages.read(_ROOT / "docs" / "rules.md")
    nav: Any = config.nav
    [section] = [entry for entry in nav if "Rules" in entry]
    section["Rules"] = rule_pages.navigation(rules)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is generated."""
    rules = rule_pages.read(_ROOT / "docs" / "rules.md")
    references = rule_pages.read_references(_HERE / "references.toml", rules)
    texts = {
        "rules/index.md": rule_pages.overview(rules),
        # On the site it stands among the pages that it links to.
        "changelog.md": (_ROOT / "CHANGELOG.md").read_text("utf-8").replace("](docs/", "]("),
        **{rule.path: rule_pages.page(rule, references.get(rule.code)) for rule in rules},
        **terminal.pictures(),
    }
    for name, text in texts.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Lead from the rules' one page to the pages of each."""
    # What lies outside of docs/ is no part of the site.
    markdown = project_urls.led_to_repository(markdown)
    if page.file.src_uri != "rules.md":
        return markdown
    link = r"\g<0>\n\n[A page of its own, with references and what other tools say](rules/\1.md)"
    return re.sub(r"^## (LCX\d+) .*$", link, markdown, flags=re.MULTILINE)
