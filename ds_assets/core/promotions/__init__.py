"""Promotions: who gets an offer, who is kept without it, and what it changed."""
