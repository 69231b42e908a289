"""One model, one loop; many_seeds trains several of a kind at once."""
