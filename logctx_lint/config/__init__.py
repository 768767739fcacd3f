"""Settings, the vocabulary of roles, and the registry of codes."""
