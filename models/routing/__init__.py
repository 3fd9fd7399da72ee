"""Networks that predict the costs of edges."""
