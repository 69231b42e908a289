"""Models of one kind that differ by their seed alone, trained at once."""
