"""One folder a kind of data, each with its sense, its encoder and its ladder."""
