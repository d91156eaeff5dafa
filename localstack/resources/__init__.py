"""One module for each kind of AWS resource; each brings the account to what the topology says."""
