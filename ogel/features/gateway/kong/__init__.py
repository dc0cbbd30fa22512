"""Kong: what its declarative files say, as settings of ours."""
