"""Writes the vector code of the Mandelbrot kernel as LLVM's IR; knows no picture, only numbers in lanes."""
