"""What a cluster does, and why it does not: read from Ray and from Kubernetes, judged; changes nothing."""
