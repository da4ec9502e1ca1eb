"""Slurm jobs and receipts: what can be billed, what it costs, why a job is not there. Reads only."""
