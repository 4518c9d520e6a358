"""The ladder of series: one file a rung, each with an ARCHITECTURE."""
