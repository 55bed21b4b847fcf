package differential

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// tally counts what was run, by family and protocol, and by command. It is safe from any goroutine.
type tally struct {
	mu       sync.Mutex
	family   string
	families map[string]*[2]int // commands in RESP2 and RESP3
	commands map[string]*outcome
	has      map[string]bool // "CONTAINER|SUB" that exist
}

type outcome struct{ right, wrong int }

func newTally(containers map[string]bool) *tally {
	return &tally{families: map[string]*[2]int{}, commands: map[string]*outcome{}, has: containers}
}

func (t *tally) add(args []string, protocol int, failed bool) {
	name := strings.ToLower(args[0])
	if len(args) > 1 {
		if sub := name + "|" + strings.ToLower(args[1]); t.has[sub] {
			name = sub
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.families[t.family]
	if f == nil {
		f = new([2]int)
		t.families[t.family] = f
	}
	f[protocol-2]++
	c := t.commands[name]
	if c == nil {
		c = &outcome{}
		t.commands[name] = c
	}
	if failed {
		c.wrong++
	} else {
		c.right++
	}
}

// String prints totals by family, and which commands never came, or never right.
func (t *tally) String() string {
	var b strings.Builder
	total := [2]int{}
	for _, name := range slices.Sorted(maps.Keys(t.families)) {
		f := t.families[name]
		fmt.Fprintf(&b, "%-14s RESP2 %9d  RESP3 %9d\n", name, f[0], f[1])
		total[0] += f[0]
		total[1] += f[1]
	}
	fmt.Fprintf(&b, "%-14s RESP2 %9d  RESP3 %9d  together %d\n", "all", total[0], total[1], total[0]+total[1])
	var never, wrong []string
	for _, name := range slices.Sorted(maps.Keys(t.has)) {
		switch c := t.commands[name]; {
		case c == nil:
			never = append(never, name)
		case c.right == 0:
			wrong = append(wrong, fmt.Sprintf("%s (%d)", name, c.wrong))
		}
	}
	fmt.Fprintf(&b, "never run: %s\nonly ever errors: %s\n", strings.Join(never, " "), strings.Join(wrong, " "))
	var poor []string
	for _, name := range slices.Sorted(maps.Keys(t.commands)) {
		if c := t.commands[name]; t.has[name] && c.right > 0 && c.wrong > 4*c.right {
			poor = append(poor, fmt.Sprintf("%s %d/%d", name, c.right, c.wrong))
		}
	}
	fmt.Fprintf(&b, "mostly errors (right/wrong): %s\n", strings.Join(poor, " "))
	return b.String()
}
