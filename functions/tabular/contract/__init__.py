"""From a contract's document to its model, and back."""
