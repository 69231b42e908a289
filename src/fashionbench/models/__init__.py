"""The table that names the models, how one is built, known again, written and loaded."""
