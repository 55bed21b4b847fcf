package migrate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cobble/slots"
	"cobble/tests/proc"
)

// fieldHashes is how many hashes with fields that expire there are; every third is large.
const fieldHashes = 18

func fieldCount(i int) int { return []int{6, 40, 700}[i%3] }

// fillFields makes a hash with two kinds of fields: some that never expire, and some
// that will long after the test.
func fillFields(t *testing.T, s *proc.Server, i int) {
	t.Helper()
	key, n := name(i), fieldCount(i)
	pairs := []string{"HSET", key}
	for f := range n {
		pairs = append(pairs, fmt.Sprint("f", f), strings.Repeat("v", f%50))
	}
	far := []string{"HPEXPIREAT", key, strconv.Itoa(4_000_000_000_000 + i), "FIELDS"}
	send(t, s, [][]string{pairs, append(far, fieldNames(0, 2*n/3)...)})
}

// fieldNames returns the number of fields from ≤ field < to, and their names.
func fieldNames(from, to int) []string {
	names := []string{strconv.Itoa(to - from)}
	for f := from; f < to; f++ {
		names = append(names, fmt.Sprint("f", f))
	}
	return names
}

// fieldsOf shows a hash with the deadlines of its fields.
func fieldsOf(do asker, key string) string {
	names, err := do("HKEYS", key).Strs()
	if err != nil || len(names) == 0 {
		return fmt.Sprint("no fields ", err)
	}
	slices.Sort(names)
	n := strconv.Itoa(len(names))
	at := do(append([]string{"HPEXPIRETIME", key, "FIELDS", n}, names...)...)
	return do("HLEN", key).Text + " " + do("DEBUG", "DIGEST-VALUE", key).String() + " " + unordered(do("HGETALL", key), 2) + " " + at.String()
}

// sameFields compares all hashes with what they must be, at their primaries and at the replicas.
func sameFields(t *testing.T, c *proc.Cluster, what string, want []string) {
	t.Helper()
	owner, replicaOf := owners(t, c), replicas(t, c)
	for i, w := range want {
		s := owner(name(i))
		if got := fieldsOf(s.Do, name(i)); got != w {
			differ(t, fmt.Sprintf("%s: %s at its primary", what, name(i)), got, w)
		}
		if r := replicaOf[s.Port]; r != nil {
			ask := readOnly(t, r)
			proc.Eventually(t, time.Minute, name(i)+" at a replica, "+what, func() error {
				if got := fieldsOf(ask, name(i)); got != w {
					return fmt.Errorf("got  %.300s\nwant %.300s", got, w)
				}
				return nil
			})
		}
	}
}

// hashesWithDeadlines sums up what INFO says at the primaries.
func hashesWithDeadlines(t *testing.T, c *proc.Cluster) (total int) {
	t.Helper()
	seen := map[*proc.Server]bool{}
	owner := owners(t, c)
	for i := range fieldHashes {
		s := owner(name(i))
		if _, after, found := strings.Cut(s.Do("INFO", "keyspace").Text, "subexpiry="); found && !seen[s] {
			n, _ := strconv.Atoi(strings.TrimSpace(after))
			total += n
		}
		seen[s] = true
	}
	return total
}

// Fields keep their deadlines on replicas, over promotions, moves of slots and restarts, and go when their time has
// come: for readers of a primary and of a replica alike.
func TestFieldsThatExpireMove(t *testing.T) {
	c := proc.StartCluster(t, 3, 1, proc.Options{})
	proc.Eventually(t, time.Minute, "three replicas", func() error {
		if n := len(replicas(t, c)); n != 3 {
			return fmt.Errorf("%d replicas", n)
		}
		return nil
	})
	owner := owners(t, c)
	want := make([]string, fieldHashes)
	for i := range want {
		fillFields(t, owner(name(i)), i)
		want[i] = fieldsOf(owner(name(i)).Do, name(i))
	}
	sameFields(t, c, "filled", want)

	victim := owner(name(0))
	heir := replicas(t, c)[victim.Port]
	victim.Kill9()
	takesOver(t, c, heir)
	sameFields(t, c, "after kill -9", want)
	victim.Restart()
	c.WaitOK()

	primaries, ids := map[*proc.Server]bool{}, map[*proc.Server]string{}
	owner = owners(t, c)
	for i := range want {
		primaries[owner(name(i))] = true
	}
	movers := &proc.Cluster{}
	for s := range primaries {
		ids[s] = s.Do("CLUSTER", "MYID").Text
		movers.Servers = append(movers.Servers, s)
	}
	for i := range want {
		for s, id := range ids {
			if from := owner(name(i)); from != s {
				moveSlot(t, movers, fmt.Sprint(slots.Of([]byte(name(i)))), s, id)
				break
			}
		}
	}
	sameFields(t, c, "moved", want)

	owner = owners(t, c)
	for i := range want {
		owner(name(i)).Do(append([]string{"HPEXPIRE", name(i), "500", "LT", "FIELDS"}, fieldNames(0, fieldCount(i)/3)...)...)
	}
	proc.Eventually(t, time.Minute, "fields to expire", func() error {
		for i := range want {
			if n := owner(name(i)).Do("HLEN", name(i)).Text; n != strconv.Itoa(fieldCount(i)-fieldCount(i)/3) {
				return fmt.Errorf("%s has %s", name(i), n)
			}
		}
		return nil
	})
	for i := range want {
		want[i] = fieldsOf(owner(name(i)).Do, name(i))
		if n := strings.Count(want[i], fmt.Sprint(4_000_000_000_000+i)); n != 2*fieldCount(i)/3-fieldCount(i)/3 {
			t.Errorf("%s: %d fields expire, want %d", name(i), n, 2*fieldCount(i)/3-fieldCount(i)/3)
		}
	}
	sameFields(t, c, "expired", want)
	if n := hashesWithDeadlines(t, c); n != fieldHashes {
		t.Errorf("%d hashes with fields that expire, want %d", n, fieldHashes)
	}
	for s := range primaries {
		s.Kill9()
		s.Restart()
	}
	c.WaitOK()
	sameFields(t, c, "after all", want)
}
