"""The files of a bundle, as each side reads them."""
