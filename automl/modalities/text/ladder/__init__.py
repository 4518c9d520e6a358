"""The ladder of texts: one file a rung, each with an ARCHITECTURE."""
