"""Rules about log contexts, tracing spans and context variables."""
