"""What LLVM's models of a Pi's cores say of the kernels' loops: no Pi is needed, and nothing is timed."""
