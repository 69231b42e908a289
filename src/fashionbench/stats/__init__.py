"""Metrics, intervals, tests and verdicts on plain arrays. No torch in here."""
