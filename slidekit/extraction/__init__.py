"""Many slides: each in a child process, what is finished left alone, every failure named."""
