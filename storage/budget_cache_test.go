package storage

import "testing"

// TestCacheFor: the block cache is small as long as the table has room, and never larger than its share.
func TestCacheFor(t *testing.T) {
	large, small := shareOf(8<<30), shareOf(256<<20)
	for _, c := range []struct {
		s          share
		rows, want int64
	}{
		{large, 0, smallCache},
		{large, large.table / 2, smallCache},
		{large, large.table, large.blocks},
		{small, 0, small.blocks},
		{small, small.table, small.blocks},
	} {
		if got := c.s.cacheFor(c.rows); got != c.want {
			t.Errorf("with %d of %d bytes of rows: %d, want %d", c.rows, c.s.table, got, c.want)
		}
	}
}
