"""Delivery: queues, senders, what receivers answer, and the account of it all."""
