"""The demo: a year of real purchases, dressed as a game's logs.

Belongs here: where the demo's logs come from, and the game file that describes them. How they are
collected, reduced and predicted is the same as for every other game, and does not belong here.
"""
