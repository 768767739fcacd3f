"""How awaitables are used: discarded, put in the wrong place, handed on, taken for their value."""
