"""The run folder: one record a run. No torch in here."""
