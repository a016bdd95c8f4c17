"""The flight recorder: what a killed process recorded, found, shown and delivered."""
