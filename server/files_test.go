package server

import "testing"

func TestMostClients(t *testing.T) {
	for _, c := range []struct {
		limit uint64
		most  int64
	}{
		{0, 0}, {32, 0}, {100, 0}, {109, 0}, {110, 1}, {160, 44}, {1024, 618}, {4096, 2562}, {12046, 10000}, {1 << 20, 1<<20 - 2046},
	} {
		if got := mostClients(c.limit); got != c.most {
			t.Errorf("%d descriptors: %d clients, want %d", c.limit, got, c.most)
		}
	}
}
