"""Invoices and credit notes: from draft to paid, taken back or written off."""
