"""Invoices by a template: a small HTML, a small CSS and a closed list of variables. Pure: imports no Django."""
