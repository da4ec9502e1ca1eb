"""What goes on an invoice: the lines of a month and their sums. Everything here reads and computes; services write."""
