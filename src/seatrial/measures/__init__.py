"""Arrays in, a number and its uncertainty out; each measure names its source."""
