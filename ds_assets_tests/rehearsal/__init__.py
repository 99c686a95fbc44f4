"""The rehearsal: a simulated year of operation, in which everything goes wrong sooner or later."""
