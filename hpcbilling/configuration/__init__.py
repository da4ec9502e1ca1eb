"""The settings by noun; ``hpcbilling.settings`` brings them together."""
