"""Suppression comments (`# noqa`), and those that suppress nothing."""
