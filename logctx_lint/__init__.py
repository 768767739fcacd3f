"""logctx-lint: forgotten awaits, lost log contexts and swallowed cancellations."""

__version__ = "0.1.0"
