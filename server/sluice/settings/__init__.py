"""What an operator can set, and each stage's own few values of it. Stages never import this room."""
