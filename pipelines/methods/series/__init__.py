"""Series over time: seasonal adjustment, deflation, chain-linking, early estimates, structure. Pure, for any table."""
