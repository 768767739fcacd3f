"""The front ends: the flake8 plugin, the command line and the language server."""
