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
	c.Send("READONLY") // of a cluster's replica; nothing else minds
	if _, err := c.Receive(); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	keys := do(t, c, "KEYS", "*").Elems
	for _, k := range keys {
		key := k.Text
		kind := do(t, c, "TYPE", key).Text
		text := fmt.Sprint(kind, " until ", do(t, c, "PEXPIRETIME", key), " ")
		if kind != "hash" { // the digest of one tells that fields expire
			text += do(t, c, "DEBUG", "DIGEST-VALUE", key).String()
		}
		switch kind {
		case "hash":
			var pairs []string
			all := do(t, c, "HGETALL", key).Elems
			for i := 0; i+1 < len(all); i += 2 {
				pairs = append(pairs, fmt.Sprintf("%q=%q", all[i].Text, all[i+1].Text))
			}
			sort.Strings(pairs)
			text += strings.Join(pairs, " ")
		case "list":
			text += fmt.Sprint(" ", do(t, c, "LRANGE", key, "0", "-1"))
		case "stream":
			text += " " + streamText(do(t, c, "XINFO", "STREAM", key, "FULL", "COUNT", "0"))
		case "zset":
			var members []string
			for i, e := range do(t, c, "ZRANGE", key, "0", "-1", "WITHSCORES").Elems {
				if score, err := strconv.ParseFloat(e.Text, 64); i%2 == 1 && err == nil { // servers print them differently
					e.Text = strconv.FormatFloat(score, 'x', -1, 64)
				}
				members = append(members, e.Text)
			}
			text += " " + strings.Join(members, " ")
		case "string":
			text += fmt.Sprint(" ", do(t, c, "STRLEN", key))
		}
		all[key] = text
	}
	return all
}

// streamText shows what XINFO STREAM FULL says, but for what two servers keep each in its own way: the shape of the tree
// of nodes, when a consumer was seen, and how a lag is reckoned.
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
			case "radix-tree-keys", "radix-tree-nodes", "seen-time", "active-time", "lag":
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
			at := 0
			for at < len(text) && at < len(other) && text[at] == other[at] {
				at++
			}
			at = max(0, at-200)
			out = append(out, fmt.Sprintf("%q, from %d on\n  here  %.500s\n  there %.500s", key, at, text[at:], other[min(at, len(other)):]))
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
