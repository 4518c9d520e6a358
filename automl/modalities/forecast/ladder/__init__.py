"""The ladder of a forecast: one file a rung, each with an ARCHITECTURE."""
