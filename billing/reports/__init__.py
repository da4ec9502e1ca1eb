"""Reports for finance: figures, each with the rows that make it. Reads only; ``REPORTS`` in the settings names them."""
