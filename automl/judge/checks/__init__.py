"""The checks. Each file declares one CHECK; a new file is found by itself."""
