"""The Pis on the network: who is there, and which host keys are taken; it knows no card."""
