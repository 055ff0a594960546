"""Short programs that use kappa; each runs without a network and says what it prints."""
