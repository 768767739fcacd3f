"""Lists of known packages: frameworks, homes of log contexts, what hands contexts on."""

from __future__ import annotations

from collections.abc import Mapping

FRAMEWORKS_OF: Mapping[str, tuple[str, ...]] = {
    "aiohttp": ("asyncio",),
    "anyio": ("asyncio", "trio"),
    "asyncio": ("asyncio",),
    "treq": ("twisted",),
    "trio": ("trio",),
    "twisted": ("twisted",),
}
"""Packages, and the frameworks whose cancellation comes out of what they give to await."""
KNOWN_LOOPS = FRAMEWORKS_OF.keys() | {"concurrent", "tornado", "uvloop"}
"""Packages that have the cancelled error of one of these frameworks, if they have one."""
CANCELLED_ERRORS = {
    "asyncio": "asyncio.CancelledError",
    "twisted": "twisted.internet.defer.CancelledError",
}
"""By framework, the name by which code should speak of its cancelled error."""
HOMES_OF_LOG_CONTEXTS = ("synapse", "logctx_lint")
"""Packages whose log contexts the vocabulary knows: who imports one keeps such contexts."""
