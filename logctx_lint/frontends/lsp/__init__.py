"""The language server: diagnostics, fixes and explanations in an editor."""
