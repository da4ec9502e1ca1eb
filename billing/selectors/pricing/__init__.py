"""What counts when: rates, prices, taxes, discounts, exchange; and what others would change. Reads only."""
