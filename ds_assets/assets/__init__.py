"""The assets, a file each: a plain function that makes days, and the asset that calls it."""
