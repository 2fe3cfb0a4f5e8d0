"""The product file: typed, validated, its expressions compiled; and the bundle's manifest."""
