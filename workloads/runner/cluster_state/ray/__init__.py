"""What Ray says of itself: nodes, lists of its state API, what waits."""
