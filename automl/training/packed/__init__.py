"""Nets that train side by side: every tensor has a leading axis of nets, (nets, batch, features).

The folds of a configuration are one pack, each net with its own rows, encoded inputs and start; so are the nets of a fit
whose mean is shipped. One compiled function trains the pack, a large batched product instead of many small ones.
"""
