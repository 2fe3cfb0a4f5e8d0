"""The ledger: value of each decision against the baseline, with intervals and statements."""
