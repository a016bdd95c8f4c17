"""The reference bot and the simulated venues it trades on."""
