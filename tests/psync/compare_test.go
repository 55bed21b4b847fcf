package psync

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"testing"

	"cobble/tests/proc"
	"cobble/tools/respconn"
)

// content is what a server has: for each key what must be equal on another.
func content(t *testing.T, s *proc.Server) map[string]string {
	t.Helper()
	c := s.Conn()
	defer c.Close()
	all := map[string]string{}
	keys := do(t, c, "KEYS", "*").Elems
	if n := do(t, c, "DBSIZE"); n.Text != strconv.Itoa(len(keys)) {
		t.Errorf("DBSIZE is %v, KEYS finds %d", n, len(keys))
	}
	for _, k := range keys {
		key := k.Text
		kind := do(t, c, "TYPE", key).Text
		text := fmt.Sprint(kind, " ", do(t, c, "DEBUG", "DIGEST-VALUE", key), " until ", do(t, c, "PEXPIRETIME", key))
		switch kind {
		case "list":
			text += fmt.Sprint(" ", do(t, c, "LRANGE", key, "0", "-1"))
		case "stream":
			text += " " + streamText(do(t, c, "XINFO", "STREAM", key, "FULL", "COUNT", "0"))
			for _, id := range []string{"-"} {
				text += fmt.Sprint(" ", do(t, c, "XRANGE", key, id, "+"))
			}
		case "string":
			text += fmt.Sprint(" ", do(t, c, "STRLEN", key))
		}
		all[key] = text
	}
	return all
}

// streamText shows what XINFO STREAM FULL says, but for what two servers keep each in its own way: the shape of the tree
// of nodes, and when a consumer was seen.
func streamText(r respconn.Reply) string {
	var b strings.Builder
	var show func(r respconn.Reply)
	show = func(r respconn.Reply) {
		if len(r.Elems) == 0 {
			fmt.Fprintf(&b, "%v ", r)
			return
		}
		b.WriteString("( ")
		for i := 0; i < len(r.Elems); i++ {
			switch r.Elems[i].Text {
			case "radix-tree-keys", "radix-tree-nodes", "seen-time", "active-time":
				i++
				continue
			}
			show(r.Elems[i])
		}
		b.WriteString(") ")
	}
	show(r)
	return b.String()
}

func do(t *testing.T, c *respconn.Conn, args ...string) respconn.Reply {
	t.Helper()
	r, err := c.Do(args...)
	if err != nil {
		t.Fatalf("%.200q: %v", args, err)
	}
	return r
}

// differences names up to ten keys that differ.
func differences(want, got map[string]string) error {
	var out []string
	for key, text := range want {
		switch other, ok := got[key]; {
		case !ok:
			out = append(out, fmt.Sprintf("%q is not there: %.300s", key, text))
		case other != text:
			out = append(out, fmt.Sprintf("%q\n  here  %.1500s\n  there %.1500s", key, text, other))
		}
	}
	for key, text := range got {
		if _, ok := want[key]; !ok {
			out = append(out, fmt.Sprintf("%q is only there: %.300s", key, text))
		}
	}
	if len(out) == 0 {
		return nil
	}
	sort.Strings(out)
	return fmt.Errorf("%d keys differ:\n%s", len(out), strings.Join(out[:min(len(out), 10)], "\n"))
}
