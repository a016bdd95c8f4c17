"""ccxt's requests and orders, with ccxt's own clients against the simulated venues."""
