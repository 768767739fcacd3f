"""What is bound to the current context, for how long, and who works in it."""
