"""What all generated units share: ports, hierarchy, registers and where they go."""
