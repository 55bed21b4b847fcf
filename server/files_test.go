package server

import "testing"

func TestMostClients(t *testing.T) {
	for _, c := range []struct {
		limit uint64
		most  int64
	}{
		{0, 0}, {32, 0}, {50, 0}, {51, 1}, {100, 31}, {1024, 608}, {4096, 2552}, {12056, 10000}, {1 << 20, 1<<20 - 2056},
	} {
		if got := mostClients(c.limit); got != c.most {
			t.Errorf("%d descriptors: %d clients, want %d", c.limit, got, c.most)
		}
	}
}
