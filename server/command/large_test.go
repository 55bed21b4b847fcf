package command

import (
	"bytes"
	"strings"
	"testing"
)

// A command with much in it, or much to reply, leaves a driver that serves others; a
// small one does not.
func TestLargeCommandsAreLeftToThoseWhoMayWait(t *testing.T) {
	c, do := newTestCall(t)
	c.Client.authenticated = true
	do("SET", "large", strings.Repeat("v", 3<<20))
	do("SET", "small", strings.Repeat("v", 1000))
	c.NoWait = true
	many := [][]byte{[]byte("DEL")}
	for range 2 * briefArgs {
		many = append(many, []byte("k"))
	}
	for _, x := range []struct {
		name string
		args [][]byte
		late bool
	}{
		{"SET of a small value", [][]byte{[]byte("SET"), []byte("a"), []byte("v")}, false},
		{"SET of a large value", [][]byte{[]byte("SET"), []byte("a"), bytes.Repeat([]byte("v"), briefBytes)}, true},
		{"DEL of a few keys", many[:100], false},
		{"DEL of many keys", many, true},
		{"GET of a small value", [][]byte{[]byte("GET"), []byte("small")}, false},
		{"GET of a large value", [][]byte{[]byte("GET"), []byte("large")}, true},
	} {
		c.Out.Reset()
		c.Execute(x.args)
		if late := c.Later != nil && c.Brief; late != x.late {
			t.Errorf("%s: left to others: %v; replied %.60q", x.name, late, c.Out.Bytes())
		} else if late && c.Out.Len() > 0 {
			t.Errorf("%s: replied %.60q although it is yet to run", x.name, c.Out.Bytes())
		} else if late {
			c.Later(nil)
			if got := string(c.Out.Bytes()); got == "" || got[0] == '-' {
				t.Errorf("%s: %.60q", x.name, got)
			}
		}
	}
}
