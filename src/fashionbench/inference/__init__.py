"""A trained model on anybody's pictures: what they show, why, and files for other programs."""
