"""Losses, rendered data and the training loop; only the command line and tests import it."""
