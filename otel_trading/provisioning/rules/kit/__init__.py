"""The rules of the kit, by concern."""
