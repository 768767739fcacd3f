"""The page of `logctx-lint audit`, in a real headless Chromium."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from logctx_lint.frontends.cli import main
from tests.support.cancellable_package import write_package

Page = Callable[..., Any]
HOW_TO_GET_IT = "needs Chromium: `apt-get install -y chromium`, or the path of Chrome in CHROMIUM"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
APART = """
    from logctx_lint.runtime import cancellable

    @cancellable
    async def on_GET_safe():
        "</script><b id=bold>é &amp;"
"""


@cache
def chromium() -> str:
    """The browser. CI has to have it."""
    named = os.environ.get("CHROMIUM")
    found = next(filter(None, [named, *map(shutil.which, _NAMES)]), None)
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW_TO_GET_IT)
    return found


@pytest.fixture
def html(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    write_package(tmp_path, apart=APART)
    monkeypatch.chdir(tmp_path)
    arguments = ["--output-format", "html", "--output-file", "page.html", "--no-cache"]
    assert main(["audit", *arguments]) == 1
    return (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.fixture
def page(html: str, tmp_path: Path) -> Page:
    """Runs a script in the page and gives what its `return` gives."""

    def run(script: str, *, width: int = 1400, dark: bool = False) -> Any:
        wrapped = f"""<script>
            const result = document.createElement("pre");
            result.id = "result";
            try {{ result.textContent = JSON.stringify((() => {{ {script} }})()); }}
            catch (error) {{ result.textContent = JSON.stringify("ERROR " + error); }}
            parent.document.body.append(result);
        </script></body>"""
        # No window is narrower than 500 pixels, but a frame may be.
        inner = html.replace("</body>", wrapped).replace("&", "&amp;").replace('"', "&quot;")
        frame = f'<iframe srcdoc="{inner}" style="width:{width}px;height:800px;border:0"></iframe>'
        outer = tmp_path / "frame.html"
        outer.write_text(f"<!doctype html><body>{frame}</body>", encoding="utf-8")
        command = [
            chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1500,900",
            "--virtual-time-budget=5000", f"--user-data-dir={tmp_path / 'profile'}",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            "--dump-dom", outer.as_uri(),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        found = re.search(r'<pre id="result">(.*?)</pre>', done.stdout, re.DOTALL)
        assert found, done.stderr
        text = found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        return json.loads(text)

    return run


NAMES = '[...document.querySelectorAll("[role=treeitem]")].map(each => each.ariaLabel)'
KEY = """
    const key = name => document.activeElement.dispatchEvent(
        new KeyboardEvent("keydown", {key: name, bubbles: true, cancelable: true}));
    document.querySelector('[role=treeitem]').focus();
"""


def test_it_stands_alone(html: str) -> None:
    found: list[str | None] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(value for name, value in attrs if name in ("src", "href"))

    Links().feed(html)
    assert found == ["data:,"]
    assert "default-src 'none'" in html
    assert "url(" not in html
    assert "@import" not in html


def test_roots_come_folded_and_the_worst_first(page: Page) -> None:
    assert page(f"return {NAMES}") == [
        "Servlet.on_GET, package/servlets.py:11, unsafe",
        "on_GET_safe, package/apart.py:5, safe",
    ]
    assert page('return document.getElementById("summary").textContent').startswith(
        "2 roots: 1 unsafe, 1 safe."
    )


def test_what_source_says_is_text(page: Page) -> None:
    script = """
        show("package/apart.py::on_GET_safe", null);
        return [detail.querySelector("pre").textContent, document.getElementById("bold")];
    """
    source, element = page(script)
    assert '"</script><b id=bold>é &amp;"' in source
    assert element is None


def test_unfolding_leads_to_the_problems(page: Page) -> None:
    names = page(f'document.getElementById("problems").click(); return {NAMES}')
    assert names == [
        "Servlet.on_GET, package/servlets.py:11, unsafe",
        "Handler.far, unsafe",
        "Handler.near, unsafe",
        "Store.other, LCX301, unsafe",
        "Store.get, LCX301, unsafe",
        "on_GET_safe, package/apart.py:5, safe",
    ]


def test_filters_by_text_and_by_verdict(page: Page) -> None:
    by_text = f'text.value = "STORE.GET"; filter(); return {NAMES}'
    assert page(by_text) == [
        "Servlet.on_GET, package/servlets.py:11, unsafe",
        "Handler.far, unsafe",
        "Handler.near, unsafe",
        "Store.get, LCX301, unsafe",
    ]
    by_verdict = f"""
        const box = boxes.find(each => each.value === "unsafe");
        box.checked = false;
        box.dispatchEvent(new Event("change"));
        return [{NAMES}, document.getElementById("status").textContent];
    """
    assert page(by_verdict) == [["on_GET_safe, package/apart.py:5, safe"], "1 function found"]
    nothing = 'text.value = "nowhere"; filter(); return tree.textContent'
    assert page(nothing) == "Nothing here is like that."


def test_the_keyboard_is_enough(page: Page) -> None:
    script = f"""{KEY}
        const seen = [];
        for (const name of ["ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "Enter", "End",
                            "Home", "ArrowLeft"]) {{
            key(name);
            seen.push(document.activeElement.ariaLabel);
        }}
        return [seen, detail.querySelector("h2").textContent,
                document.activeElement.getAttribute("aria-expanded"),
                document.querySelectorAll('[role=treeitem][tabindex="0"]').length];
    """
    seen, shown, expanded, stops = page(script)
    assert seen == [
        "Servlet.on_GET, package/servlets.py:11, unsafe",
        "Handler.far, unsafe",
        "on_GET_safe, package/apart.py:5, safe",
        "on_GET_safe, package/apart.py:5, safe",
        "on_GET_safe, package/apart.py:5, safe",
        "on_GET_safe, package/apart.py:5, safe",
        "Servlet.on_GET, package/servlets.py:11, unsafe",
        "Servlet.on_GET, package/servlets.py:11, unsafe",
    ]
    assert (shown, expanded, stops) == ("on_GET_safe", "false", 1)


def test_the_source_is_beside_with_its_findings(page: Page) -> None:
    script = """
        show("package/store.py::Store.get", null);
        const bad = detail.querySelector("pre .bad");
        return [bad.dataset.line, bad.textContent, bad.nextSibling.textContent];
    """
    line, text, note = page(script)
    assert (line, text) == ("8", "8    except Exception:")
    assert note.startswith("LCX301 `except Exception` swallows")
    way = page('return [...detail.querySelectorAll(".path")].map(each => each.textContent)')
    assert "Handler.far" in way[0]
    assert "calls, line 12" in way[0]


@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_sticks_out(page: Page, width: int) -> None:
    script = """
        document.getElementById("problems").click();
        show("package/store.py::Store.get", null);
        return [document.documentElement.scrollWidth, innerWidth,
                getComputedStyle(detail).position, detail.getBoundingClientRect().width > 200];
    """
    scrolled, inner, position, is_wide = page(script, width=width)
    assert scrolled <= inner == width
    assert position == ("fixed" if width == 400 else "sticky")
    assert is_wide


def test_a_small_screen_shows_the_tree_until_something_is_selected(page: Page) -> None:
    script = """
        const shown = () => getComputedStyle(detail).display;
        const before = shown();
        document.querySelector(".name").click();
        const during = shown();
        document.getElementById("close").click();
        return [before, during, shown()];
    """
    assert page(script, width=400) == ["none", "block", "none"]


CONTRAST = """
    const channel = value =>
        (value /= 255) <= .03928 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4;
    const rgb = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = colour => {
        const [r, g, b] = rgb(colour);
        return .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
    };
    const back = node => {
        for (; node; node = node.parentElement) {
            const colour = getComputedStyle(node).backgroundColor;
            if (rgb(colour)[3] !== 0) return colour;
        }
    };
    document.getElementById("problems").click();
    show("package/store.py::Store.get", null);
    const poor = [];
    for (const node of document.querySelectorAll("body *")) {
        if (![...node.childNodes].some(each => each.nodeType === 3 && each.data.trim())) continue;
        if (["SCRIPT", "NOSCRIPT", "OPTION"].includes(node.tagName)) continue;
        const pair = [light(getComputedStyle(node).color), light(back(node))].sort((a, b) => b - a);
        const ratio = (pair[0] + .05) / (pair[1] + .05);
        if (ratio < 4.5) poor.push(`${node.tagName}.${node.className} ${ratio.toFixed(2)}`);
    }
    return [poor, back(document.body)];
"""


def test_text_is_easy_to_read_in_light_and_dark(page: Page) -> None:
    light, dark = page(CONTRAST), page(CONTRAST, dark=True)
    assert light[0] == dark[0] == []
    assert light[1] != dark[1]


def test_what_it_is_about_and_links_to_the_rules(page: Page) -> None:
    about, links = page("""
        document.querySelector(".name").click();
        unfoldTo(id => id.endsWith("Store.get"), 400);
        [...document.querySelectorAll("[role=treeitem]")]
            .find(each => each.functionId.endsWith("Store.get")).click();
        return [document.getElementById("about").textContent,
                [...detail.querySelectorAll("a")].map(each => each.href)];
    """)
    assert re.fullmatch(r".+ · logctx-lint \d\S* · \d{4}-\d\d-\d\d", about)
    assert [link.rpartition("/")[2] for link in links] == ["rules.html#lcx301"]


def test_what_to_correct_first_leads_to_the_function(page: Page) -> None:
    texts, name = page("""
        const items = [...document.querySelectorAll("#repairs li")];
        items[0].querySelector("button").click();
        return [items.map(each => each.textContent), detail.querySelector("h2").textContent];
    """)
    gain = "cancelled with 1 unsafe root, which other functions make unsafe, too"
    assert texts == [f"Store.other {gain}", f"Store.get {gain}"]
    assert name == "Store.other"
