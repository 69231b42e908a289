"""What every room needs: seeds, files, progress, the machine, a person's own code."""
