"""The soak test: the API under steady load while whatever it rests on goes away and comes back."""
