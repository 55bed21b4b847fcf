package dump

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"cobble/storage/format"
	"cobble/tests/proc"
	"cobble/tools/respconn"
)

// read returns the value at key as commands of the type show it, in a form that
// can be compared.
func read(t *testing.T, s *proc.Server, key string, kind format.Type) string {
	t.Helper()
	switch kind {
	case format.String:
		return s.Do("GET", key).String()
	case format.List:
		return s.Do("LRANGE", key, "0", "-1").String()
	case format.ZSet:
		return s.Do("ZRANGE", key, "0", "-1", "WITHSCORES").String()
	}
	var reply respconn.Reply
	step := 1
	if kind == format.HashType {
		reply, step = s.Do("HGETALL", key), 2
	} else {
		reply = s.Do("SMEMBERS", key)
	}
	var parts []string
	for i := 0; i+step <= len(reply.Elems); i += step {
		parts = append(parts, fmt.Sprint(reply.Elems[i:i+step]))
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// A real server takes what is written here, and what it then dumps in its own
// forms, small and large, packed or not, is read here as the same value.
func TestAgainstRedis(t *testing.T) {
	configs := [][]string{
		nil,
		{"--rdbcompression", "no", "--hash-max-listpack-entries", "0", "--zset-max-listpack-entries", "0", "--set-max-intset-entries", "0", "--list-max-listpack-size", "2"},
	}
	for i, args := range configs {
		s := proc.Start(t, proc.Options{Program: proc.Redis, Standalone: true, Args: args})
		for seed := range uint64(150) {
			v := randomValue(rand.New(rand.NewPCG(seed, 5)))
			v.Deadlines = nil // 7.0 has none
			if r := s.Do("RESTORE", "k", "0", string(encode(v)), "REPLACE"); r.Text != "OK" {
				t.Fatalf("config %d seed %d: RESTORE of a %v: %v", i, seed, v.Type, r)
			}
			there := read(t, s, "k", v.Type)
			got, err := Decode([]byte(s.Do("DUMP", "k").Text))
			if err != nil {
				t.Fatalf("config %d seed %d: what it dumps of a %v: %v", i, seed, v.Type, err)
			}
			s.Do("RESTORE", "again", "0", string(encode(got)), "REPLACE")
			if again := read(t, s, "again", v.Type); again != there {
				t.Fatalf("config %d seed %d: %v\ngot  %s\nwant %s", i, seed, v.Type, again, there)
			}
			if !sameSet(got, v) {
				t.Fatalf("config %d seed %d: decoded another value\ngot  %q\nwant %q", i, seed, got.Items, v.Items)
			}
		}
		for _, c := range oldForms() {
			if r := s.Do("RESTORE", "old", "0", string(c.payload), "REPLACE"); r.Text != "OK" {
				t.Fatalf("config %d: %s: RESTORE: %v", i, c.name, r)
			}
			s.Do("RESTORE", "new", "0", string(encode(c.want)), "REPLACE")
			if old, want := read(t, s, "old", c.want.Type), read(t, s, "new", c.want.Type); old != want {
				t.Errorf("config %d: %s: the server reads %s, not %s", i, c.name, old, want)
			}
		}
	}
}

// sameSet compares values without the order that the type does not keep.
func sameSet(a, b Value) bool {
	step := 1
	if a.Type == format.HashType {
		step = 2
	}
	flat := func(v Value) []string {
		out := []string{string(v.Bytes)}
		for i := 0; i+step <= len(v.Items); i += step {
			s := fmt.Sprintf("%q", v.Items[i:i+step])
			if v.Scores != nil {
				s += fmt.Sprint(v.Scores[i])
			}
			out = append(out, s)
		}
		if v.Type != format.List {
			slices.Sort(out)
		}
		return out
	}
	return a.Type == b.Type && slices.Equal(flat(a), flat(b))
}
