"""Receipts, invoices and credit notes as they are: who sees them, why an amount, what is left of it. Reads only."""
