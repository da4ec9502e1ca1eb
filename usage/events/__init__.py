"""Metered events on their way in: the form they come in, the checks, and the stores that keep them."""
