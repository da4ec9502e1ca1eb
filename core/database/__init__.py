"""What our tables and statements share, on both databases."""
