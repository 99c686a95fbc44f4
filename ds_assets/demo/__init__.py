"""The demo: a year of real purchases, written as the logs of a game, or a simulated game.

Scope: where the logs come from, which days they have, and the game file that describes them. They
are processed as those of every other game.
"""
