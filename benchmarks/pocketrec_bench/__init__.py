"""The device benchmark suite: what a bundle costs on one machine. Nothing is here yet."""

__all__: list[str] = []
