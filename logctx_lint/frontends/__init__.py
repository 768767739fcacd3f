"""The ways in: the flake8 plugin, the command line and the language server."""
