"""The soak test: the API under steady load while its dependencies fail and recover."""
