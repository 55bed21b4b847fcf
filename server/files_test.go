package server

import "testing"

func TestMostClients(t *testing.T) {
	for _, c := range []struct {
		limit uint64
		most  int64
	}{
		{0, 0}, {32, 0}, {40, 0}, {44, 1}, {100, 43}, {1024, 736}, {4096, 3064}, {11032, 10000}, {1 << 20, 1<<20 - 1032},
	} {
		if got := mostClients(c.limit); got != c.most {
			t.Errorf("%d descriptors: %d clients, want %d", c.limit, got, c.most)
		}
	}
}
