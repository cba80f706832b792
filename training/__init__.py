"""How the reader was made: data to windows, training, export and evaluation. Nothing here ships in the package."""
