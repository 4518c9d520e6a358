"""The ladder for images: one file an architecture."""
