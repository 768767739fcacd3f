"""Lists of known packages: frameworks, and those that define log contexts or pass them on."""

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
"""By framework, the name that code should use for its cancelled error."""
HOMES_OF_LOG_CONTEXTS = ("synapse", "logctx_lint")
"""Packages whose log contexts the vocabulary knows: who imports one keeps such contexts."""
