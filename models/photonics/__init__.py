"""Networks that predict the costs of pixels."""
