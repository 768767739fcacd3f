"""Source text, walks over its syntax tree, and what stands between the nodes."""
