"""People and the groups they belong to."""
