"""A tap between a client and a real Lingma that writes down what they say to each other, masked."""
