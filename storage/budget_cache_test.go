package storage

import "testing"

// TestCacheFor: the block cache is small as long as the table has room, and never larger than its share.
func TestCacheFor(t *testing.T) {
	large, small := shareOf(8<<30), shareOf(256<<20)
	for _, c := range []struct {
		s                share
		rows, data, want int64
	}{
		{large, 0, 0, smallCache},
		{large, large.table / 2, 1 << 30, 1 << 30 / filterShare},
		{large, large.table / 2, 1 << 40, large.blocks},
		{large, large.table, 1 << 30, large.blocks},
		{small, 0, 0, smallCache},
		{small, small.table, 0, small.blocks},
	} {
		if got := c.s.cacheFor(c.rows, c.data); got != c.want {
			t.Errorf("with %d of %d bytes of rows and %d of data: %d, want %d", c.rows, c.s.table, c.data, got, c.want)
		}
	}
}
