"""Costs: what a project on Railway has cost, will have cost by the end of the month, and would cost otherwise."""
