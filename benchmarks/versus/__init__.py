"""automl beside other systems: the same rows, seeds, cores and seconds, one line of results a cell."""
