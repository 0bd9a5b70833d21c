"""From crops to codes and a generator tuned on them."""
