"""The local platform of Causeway: an AWS emulator and an EVM node on one machine."""
