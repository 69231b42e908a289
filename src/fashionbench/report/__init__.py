"""Records to tables, plots and pages. No torch in here."""
