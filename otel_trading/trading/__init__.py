"""What is particular to trading: counters of messages and orders, and the names that other documents use."""
