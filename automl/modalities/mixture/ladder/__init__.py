"""The rungs for mixtures."""
