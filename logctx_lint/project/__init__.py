"""The files of a project, and the facts that each of them states."""
