"""Energy per operation of a mapped netlist: simulated toggles, times the capacitances and power tables of its Liberty."""
