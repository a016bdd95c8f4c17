"""The live page: what a bot does at this moment, for whoever sits in front of it, without a backend.

``cockpit`` reads what is known and keeps what nobody else remembers; ``hub`` passes it on to those who watch;
``routes`` are the page's addresses; ``page`` is what the browser gets.
"""
