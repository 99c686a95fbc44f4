"""Answers over HTTP: who may ask, how much, and in which words.

Belongs here: the web's side of a question. What is answered, and from where, is behind `Answering`.
"""
