package psync

import (
	"fmt"
	"strings"
	"testing"

	"cobble/tests/proc"
)

// laterCommands are of servers later than the follower, which is told what they did in words that it has. The first of
// them make small values, of which each command sends the whole, and large ones of rows.
const laterCommands = `
	SET {s}a 1 IFEQ 0
	SET {s}a 1
	SET {s}a 2 IFEQ 1 EX 1000
	SET {s}a 3 IFNE 1 GET
	SET {s}b x IFDNE 0000000000000000
	SET {s}b y IFDEQ 0000000000000000
	SET {s}c 1
	SET {s}d 1
	SET {s}e 1
	DELIFEQ {s}c 1
	DELEX {s}d IFEQ 1
	DELEX {s}e
	MSETEX 2 {s}f 1 {s}g 2 EX 1000
	MSETEX 2 {s}f 3 {s}h 2 NX
	MSETEX 2 {s}f 4 {s}g 5 XX KEEPTTL
	BITOP ONE {s}i {s}a {s}b
	HSETEX {h}new EX 1000 FIELDS 2 a 1 b 2
	HSETEX %h EX 1000 FIELDS 2 f1 new f2 new
	HSETEX %h FNX FIELDS 1 new v
	HSETEX %h FXX KEEPTTL FIELDS 1 f1 again
	HSETEX %h EXAT 1 FIELDS 1 f3 gone
	HEXPIRE %h 1000 FIELDS 2 f4 f5
	HPEXPIRE %h 0 FIELDS 1 f6
	HPEXPIRE %h 100 FIELDS 2 f7 f8
	HEXPIREAT %h 1 FIELDS 1 f9
	HPERSIST %h FIELDS 1 f4
	HGETEX %h EX 10 FIELDS 1 f10
	HGETEX %h PXAT 1 FIELDS 1 f11
	HGETDEL %h FIELDS 2 f12 f13
	HGETDEL {h}new FIELDS 2 a b
	XGROUP CREATE %x g 0
	XGROUP CREATE %x h 0
	XREADGROUP GROUP g c COUNT 20 STREAMS %x >
	XREADGROUP GROUP h d COUNT 10 STREAMS %x >
	XDELEX %x IDS 2 1-1 2-1
	XDELEX %x DELREF IDS 2 3-1 4-1
	XDELEX %x ACKED IDS 1 5-1
	XACKDEL %x g IDS 1 6-1
	XACKDEL %x g ACKED IDS 2 7-1 8-1
	XACKDEL %x h ACKED IDS 2 7-1 8-1
	XACKDEL %x h DELREF IDS 2 9-1 10-1
	XADD %x DELREF MAXLEN 15 1000-1 f v
	XACK %x g 20-1
	XACK %x g 21-1
	XTRIM %x MAXLEN 12 DELREF
	XTRIM %x MAXLEN 5 ACKED
	XADD %x ACKED MINID 900 1001-1 f v
	XTRIM %x MINID 1000 KEEPREF`

// rounds are laterCommands such that no two of a round have a key in common: what each did to its keys is compared before
// another changes them.
func rounds() (all [][][]string) {
	last := map[string]int{} // how many rounds a key needs up to now
	for line := range strings.Lines(strings.TrimSpace(laterCommands)) {
		for _, size := range []string{"small", "large"} {
			words := strings.Fields(strings.NewReplacer("%h", "{h}"+size, "%x", "{x}"+size).Replace(line))
			at := 0
			for _, word := range words {
				at = max(at, last[word])
			}
			for _, word := range words {
				if strings.HasPrefix(word, "{") {
					last[word] = at + 1
				}
			}
			if at == len(all) {
				all = append(all, nil)
			}
			all[at] = append(all[at], words)
			if !strings.Contains(line, "%") {
				break // of no size
			}
		}
	}
	return all
}

func TestLaterCommands(t *testing.T) {
	t.Parallel()
	s := proc.Start(t, proc.Options{Standalone: true})
	for key, n := range map[string]int{"{h}small": 20, "{h}large": 2000} {
		args := []string{"HSET", key}
		for i := range n {
			args = append(args, fmt.Sprint("f", i), fmt.Sprint("v", i))
		}
		s.Do(args...)
	}
	for _, key := range []string{"{x}small", "{x}large"} {
		for i := range 30 {
			s.Do("XADD", key, fmt.Sprintf("%d-1", i+1), "f", strings.Repeat("v", 100))
		}
	}
	r := followed(t, s)
	for i, round := range rounds() {
		for _, words := range round {
			if reply := s.Do(words...); reply.Err() != nil {
				t.Fatalf("%q: %v", words, reply)
			}
		}
		settled(t, s, r)
		if t.Failed() {
			t.Fatalf("round %d: %q", i, round)
		}
	}
	copies(t, s, 1, 0)
	sane(t, r)
}
