"""The sticky router behind the routing Service: spreads conversations over accounts and brings each one back."""
