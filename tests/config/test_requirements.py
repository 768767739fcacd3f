"""What requirements say of libraries that are not as the bundled stubs have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from logctx_lint.config.requirements import unlike_their_stubs
from tests.support.projects import write


@pytest.mark.parametrize(
    ("name", "text", "unlike"),
    [
        ("requirements.txt", "py-cord==2.6\n", ("discord",)),
        ("requirements-dev.txt", "Py_Cord[voice]>=2\n", ("discord",)),
        ("requirements.txt", "discord.py==1.7.3\n", ("discord",)),
        ("requirements/base.txt", "discord.py[voice]~=1.7\n", ("discord",)),
        ("requirements.txt", "discord.py<2\n", ("discord",)),
        ("requirements.txt", "discord.py>=1.5,<2.0\n", ("discord",)),
        ("pyproject.toml", '[tool.poetry.dependencies]\n"discord.py" = "^1.7"\n', ("discord",)),
        ("pyproject.toml", '[project]\ndependencies = ["discord.py >= 2.3"]\n', ()),
        ("requirements.txt", "discord.py==2.3.2\n", ()),
        ("requirements.txt", "discord.py\n", ()),
        ("requirements.txt", "discord.py<3\n", ()),
        ("requirements.txt", "discord.py>=1.7\n", ()),
        ("requirements.txt", "python-telegram-bot==13.7\n", ("telegram",)),
        ("Pipfile", '[packages]\npython-telegram-bot = "==13.15"\n', ("telegram",)),
        ("setup.py", 'setup(install_requires=["python-telegram-bot>=13,<20"])\n', ("telegram",)),
        ("requirements.txt", "python-telegram-bot~=20.0\n", ()),
        ("requirements.txt", "python-telegram-bot[job-queue]==21.4\n", ()),
        (
            "Bot-1.0.dist-info/METADATA",
            "Name: Bot\nRequires-Dist: python-telegram-bot (==11.1.0)\n",
            ("telegram",),
        ),
        ("Bot.egg-info/requires.txt", "discord.py<2\n", ("discord",)),
        ("Bot-1.0.dist-info/METADATA", "Requires-Dist: python-telegram-bot (>=20)\n", ()),
        ("Bot-1.0.dist-info/METADATA", "Name: Bot\n\nA bot, and no py-cord.\n", ()),
        ("Bot-1.0.dist-info/RECORD", "py-cord\n", ()),
        ("README.md", "py-cord\n", ()),
    ],
)
def test_requirements_say_what_the_stubs_are_not_of(
    tmp_path: Path, name: str, text: str, unlike: tuple[str, ...]
) -> None:
    write(tmp_path, {name: text})
    assert unlike_their_stubs(tmp_path) == unlike
