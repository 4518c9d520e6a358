"""The ladder of sounds: one file a rung, each with an ARCHITECTURE."""
