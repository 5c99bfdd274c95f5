"""From a unit to Verilog, its metadata and its FuseSoC core file."""
