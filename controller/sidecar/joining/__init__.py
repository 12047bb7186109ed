"""The public calls: participants request tokens, and admission checks decide."""
