"""Many updates at once."""
