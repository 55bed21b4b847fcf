package command

import (
	"strings"
	"testing"
)

// The subcommands of DEBUG that show structures: the same errors as redis-server's, and the same answers where encodings are the same.
func TestDebugShowsAsRedis(t *testing.T) {
	p := newPair(t, 2)
	for _, line := range []string{
		"SET text hello", "SET number 17", "HSET small a 1 b 2", "SADD big " + strings.Repeat("m", 65) + " " + strings.Repeat("n", 65), "ZADD rank 1 " + strings.Repeat("m", 65), "RPUSH list a b",
		"DEBUG LISTPACK none", "DEBUG LISTPACK text", "DEBUG LISTPACK small", "DEBUG LISTPACK big", "DEBUG LISTPACK", "DEBUG QUICKLIST none", "DEBUG QUICKLIST text",
		"DEBUG HTSTATS x", "DEBUG HTSTATS 99999", "DEBUG HTSTATS -1", "DEBUG HTSTATS", "DEBUG HTSTATS-KEY none", "DEBUG HTSTATS-KEY text", "DEBUG HTSTATS-KEY small", "DEBUG HTSTATS-KEY list",
		"DEBUG SDSLEN none", "DEBUG SDSLEN list", "DEBUG SDSLEN number", "DEBUG CLUSTERLINK KILL ALL x", "DEBUG CLUSTERLINK KILL ALL",
	} {
		p.same(line)
	}
	for line, want := range map[string]string{
		"DEBUG HTSTATS 0":       "[Dictionary HT]\nHash table 0 stats (main hash table):\n table size: 8\n number of elements: 6\n[Expires HT]\n",
		"DEBUG HTSTATS 1":       "[Dictionary HT]\n[Expires HT]\n",
		"DEBUG HTSTATS-KEY big": "Hash table 0 stats (main hash table):\n table size: 4\n number of elements: 2\n",
		"DEBUG SDSLEN text":     "+key_sds_len:4, key_sds_avail:0, key_zmalloc: 4, val_sds_len:5, val_sds_avail:0, val_zmalloc: 5\r\n",
	} {
		got := p.ours(wordsOf(t, line)...)
		if strings.HasPrefix(got, "$") {
			_, got, _ = strings.Cut(got, "\r\n")
			got = strings.TrimSuffix(got, "\r\n")
		}
		if got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// MEMORY STATS has every field of redis-server's, in both protocols.
func TestMemoryStatsHasRedisFields(t *testing.T) {
	for _, proto := range []int{2, 3} {
		p := newPair(t, proto)
		p.same("SET k v")
		ours, theirs := p.ask("MEMORY", "STATS")
		names := map[string]bool{}
		for i := 0; i < len(ours.Elems); i += 2 {
			names[ours.Elems[i].Text] = true
		}
		for i := 0; i < len(theirs.Elems); i += 2 {
			if name := theirs.Elems[i].Text; !names[name] {
				t.Errorf("MEMORY STATS lacks %s", name)
			}
		}
		if ours.Kind != theirs.Kind || len(theirs.Elems) < 50 {
			t.Errorf("kinds %v and %v, %d elements", ours.Kind, theirs.Kind, len(theirs.Elems))
		}
	}
}
