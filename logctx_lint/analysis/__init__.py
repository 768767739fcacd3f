"""Analyses that several rules ask for. No rule lives here."""
