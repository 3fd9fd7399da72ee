"""Networks that price shards and all-to-all communication."""
