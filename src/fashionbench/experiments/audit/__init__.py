"""The audit of a data set: doubles, doubtful labels, and how luckily it was split."""
