"""What is measured beside the load: cold starts, stages, memory, bandwidth, energy, others."""
