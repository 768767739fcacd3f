"""Log contexts: what is bound to the current context, for how long, and what runs in it."""
