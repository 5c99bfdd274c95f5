"""cocotb benches: code that runs inside the simulator. They are started by :mod:`polymac.sim.cocotb_run`."""
