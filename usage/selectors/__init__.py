"""Reads of usage that pages and the API share."""
