"""The audit of a data set: doubles, doubtful labels, and how luckily it was split."""

JUDGES = ("lenet", "mlp:hidden_units=64")
"""Two families that are trained in seconds: what both call otherwise is in doubt."""
