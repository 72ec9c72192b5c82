"""What the rows are."""

#: Rows, numbers of each vector, and groups.
N, WIDTH, K = 12_000, 12, 4
