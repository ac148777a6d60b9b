"""How `piray init` asks, checks and writes; it knows neither Pis nor cards."""
