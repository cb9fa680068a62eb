"""What the parts of a service cost by themselves, and what others would: the matrix is told as ratios to these."""
