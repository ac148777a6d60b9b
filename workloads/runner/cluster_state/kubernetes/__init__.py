"""What Kubernetes says of a stack: pods and hosts, read and judged; never written."""
