"""The command line, `ds-assets`: `main` and a module for each command."""
