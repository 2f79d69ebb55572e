"""The device benchmark suite: what a bundle costs on one machine, in figures to be trusted."""

__all__: list[str] = []
