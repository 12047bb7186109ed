"""Recording: the pure decision, the steps, the ledger of what was begun, and what is remembered between."""
