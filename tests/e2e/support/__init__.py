"""What the end-to-end tests share: the stack, its API, its chain, tenants, and faults to inject."""
