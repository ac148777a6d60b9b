"""What the Kubernetes objects of the program have in common; knows neither Ray nor the π Job. No Pulumi."""
