"""Continual learning: a bundle that learns new events and items without the full pipeline."""
