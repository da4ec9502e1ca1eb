"""Addresses of this app, mounted by ``hpcbilling.urls``."""
