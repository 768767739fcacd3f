"""Where awaitables go: who drops, misplaces or hands them on, and where plain values are wanted."""
