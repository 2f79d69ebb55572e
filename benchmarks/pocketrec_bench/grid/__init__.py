"""Every way to run a model on this device, by size of catalogue and length of history."""
