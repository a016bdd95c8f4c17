"""What keeps the bot from doing harm."""
