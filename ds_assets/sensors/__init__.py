"""The sensor that starts runs: a module for each reason for a run, and what they share."""
