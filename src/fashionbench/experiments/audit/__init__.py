"""The audit of a data set: doubles, doubtful labels, and how luckily it was split."""

JUDGES = ("lenet", "mlp:hidden_units=64")
"""Of two families and trained in seconds: what both get wrong is more than the limits of one."""
