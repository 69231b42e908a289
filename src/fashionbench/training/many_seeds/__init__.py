"""Train models of one kind at once, which differ by their seed alone."""
