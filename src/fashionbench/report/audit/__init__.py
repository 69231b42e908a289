"""The page of an audit, its pictures, and the fields of audit.json."""
