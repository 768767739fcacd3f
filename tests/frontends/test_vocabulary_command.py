"""`logctx-lint vocabulary suggest`: the project's own starters, wrappers and shields, with why."""

from __future__ import annotations

from pathlib import Path

import pytest

from logctx_lint.frontends.cli import main


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "import asyncio\nTASKS = set()\n\n"
            "def spawn(work):\n    task = asyncio.create_task(work)\n    TASKS.add(task)\n",
            'nursery-starter = [\n    "app.spawn"',
        ),
        (
            "import asyncio\nTASKS = set()\n\n"
            "def spawn(work):\n    task = asyncio.create_task(work())\n    TASKS.add(task)\n",
            'background-starter = [\n    "app.spawn"',
        ),
        (
            "import asyncio\n\ndef start(work):\n    return asyncio.create_task(work())\n",
            'task-starter = [\n    "app.start"',
        ),
        (
            "import asyncio\n\nclass Pool:\n    async def calmly(self, work):\n"
            "        return await asyncio.shield(work)\n",
            'cancellation-shield = [\n    "app.Pool.calmly"',
        ),
        ("import asyncio\n\nasync def run():\n    await asyncio.shield(other())\n", ""),
        ("def plain(work):\n    return work()\n", ""),
    ],
)
def test_functions_that_hand_their_argument_on_are_proposed(
    text: str,
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("app.py").write_text(text)
    assert main(["vocabulary", "suggest"]) == 0
    out = capsys.readouterr().out
    assert expected in out
    assert bool(out) is bool(expected)
    assert not expected or "hands its argument to asyncio." in out
