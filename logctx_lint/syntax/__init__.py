"""Source text, walks over its `ast` tree, and by libcst what `ast` leaves out of it."""
