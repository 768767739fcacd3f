"""Source text and its two syntax trees: ast and libcst."""
