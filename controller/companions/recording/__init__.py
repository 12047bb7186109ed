"""Recording: the pure decision, the steps, the ledger of recordings, and the state between passes."""
