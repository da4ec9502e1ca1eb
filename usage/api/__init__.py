"""The part of the JSON API that is about use."""
