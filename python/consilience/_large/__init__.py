"""What engines for large tables share: the map from vectors to votes, and labels from counted signatures."""
