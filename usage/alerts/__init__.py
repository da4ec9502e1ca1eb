"""Rules that watch usage: their windows, what is measured in them, and when a rule speaks."""
