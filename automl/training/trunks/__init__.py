"""Bodies of nets, one file a kind of data; what stands on them is the business of a ladder or a mixture."""
