"""libcst, imported when something of it is first asked for.

That takes longer than to check a file in which no rule needs it, as in most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["cst"]

if TYPE_CHECKING:
    import libcst as cst
else:

    class _Libcst:
        def __getattr__(self, name):
            import libcst

            found = getattr(libcst, name)
            # The next time it is found without asking.
            setattr(self, name, found)
            return found

    cst = _Libcst()
