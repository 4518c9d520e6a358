"""The version of automl, in one place."""

VERSION = "0.1.0"
