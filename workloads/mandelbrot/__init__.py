"""Decides what the Mandelbrot picture is and computes it on one core; knows nothing of Ray or results."""
