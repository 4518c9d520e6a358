"""The ladder of a table: one file a rung, each with an ARCHITECTURE."""
