"""Networks that run for very many steps without a reset, and how a difference grows meanwhile."""
