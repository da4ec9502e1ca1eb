"""Numbers, days and kept texts as people read them, in their language."""
