"""cocotb benches: code that runs inside the simulator. They are started by :mod:`polymac.sim.engine.cocotb_run`."""
