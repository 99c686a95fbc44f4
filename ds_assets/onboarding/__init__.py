"""Guessing the game file of a studio's own logs, with the evidence for each guess.

A look at some files gives lines (`samples`), whose columns (`columns`) are compared with what the
exports of analytics services hold (`exports`) and with what fields, times and types usually look
like. `guessing` puts the guesses together, and `game_text` writes them as a game file.
"""
