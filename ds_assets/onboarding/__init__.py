"""From logs that nothing is known about to an installation that works.

`ds-assets init` guesses the game file: a look at some files (`looking`, `sources`) gives lines
(`samples`), those of files that are alike together (`grouping`); `choosing` finds the kinds of
files that can be read together. Their columns (`columns`) are compared with what the exports of
analytics services hold (`exports`), and with what fields, times and types usually look like;
`guessing` puts the guesses together, and `game_text` writes them. `ds-assets check` and `ds-assets
doctor` find what is wrong with an installation (`diagnosis`) and with its logs (`examination`).
"""
