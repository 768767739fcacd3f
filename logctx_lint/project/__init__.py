"""The project: its files, the facts of each, modules and indexes."""
