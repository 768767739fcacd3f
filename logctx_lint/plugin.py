"""The old place of the flake8 plugin, which configurations (`local-plugins`) may still name."""

from __future__ import annotations

from logctx_lint.frontends.flake8_plugin import Plugin as Plugin
