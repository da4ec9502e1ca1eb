"""Reads that join jobs, prices and documents."""
