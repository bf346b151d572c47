// Shrinking
