"""Worked examples: tables of inputs, the outcome, and how one gets there with pencil and paper."""
