"""A study to runs to records: where the wing that trains meets the one that judges."""
