"""Tax registry: taxpayers, arrears, sole traders, and incomes by quarter and source. Synthetic data."""
