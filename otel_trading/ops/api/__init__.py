"""What the ops server answers, route by route; ``table.ROUTES`` lists them."""
