"""The seven words and what they are made of: tasks, metrics, search spaces, events, errors, discovery."""
