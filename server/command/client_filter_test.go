package command

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// Each filter finds those clients that it should, of six.
func TestClientFilters(t *testing.T) {
	first, _ := newTestCall(t)
	var calls []*Call
	now := first.Env.Process.Micros() / 1000
	for i := range 6 {
		client := &Client{Addr: fmt.Sprintf("10.0.0.%d:%d", i/2, 1000+i), LocalAddr: fmt.Sprintf("10.0.1.1:%d", 100+i/3), Created: now - int64(i)*10_000}
		call := NewCall(first.Env, client)
		call.Env.Clients.Add(client, call.Env)
		client.Kill = func() {}
		calls = append(calls, call)
	}
	lines := func(i int, words ...string) string { return execute(calls[i], words...) }
	execute(calls[0], "ACL", "SETUSER", "u", "on", "nopass", "+@all", "~*", "&*")
	lines(1, "AUTH", "u", "")
	lines(2, "CLIENT", "SETNAME", "two")
	lines(3, "CLIENT", "SETINFO", "LIB-NAME", "lib3")
	lines(3, "CLIENT", "SETINFO", "LIB-VER", "3.3")
	lines(4, "CLIENT", "CAPA", "redirect", "unknown")
	lines(5, "SUBSCRIBE", "c")
	lines(5, "CLIENT", "NO-EVICT", "on") // refused, as it listens
	id := regexp.MustCompile(`(?:^|\n)id=(\d+) `)
	found := func(filters string) string {
		var ids []string
		for _, m := range id.FindAllStringSubmatch(lines(0, strings.Fields("CLIENT LIST "+filters)...), -1) {
			ids = append(ids, m[1])
		}
		return strings.Join(ids, " ")
	}
	base := calls[0].Client.ID
	for line := range strings.Lines(`
		 => 0 1 2 3 4 5
		SKIPME YES => 1 2 3 4 5
		SKIPME YES SKIPME NO => 0 1 2 3 4 5
		ID $1 $3 => 1 3
		ID $1 $3 SKIPME YES => 1 3
		ID $1 ID $3 $0 SKIPME yes => 1 3
		NOT-ID $1 $3 NOT-ID $0 => 2 4 5
		ID $1 $3 NOT-ID $3 => 1
		USER u => 1
		NOT-USER u NAME two => 2
		USER default NOT-NAME two => 0 3 4 5
		ADDR 10.0.0.1:1002 => 2
		NOT-ADDR 10.0.0.1:1002 => 0 1 3 4 5
		LADDR 10.0.1.1:101 => 3 4 5
		NOT-LADDR 10.0.1.1:101 => 0 1 2
		IP 10.0.0.1 => 2 3
		NOT-IP 10.0.0.1 => 0 1 4 5
		MAXAGE 25 => 3 4 5
		MAXAGE 25 NOT-IP 10.0.0.2 => 3
		LIB-NAME lib3 => 3
		NOT-LIB-NAME lib3 => 0 1 2 4 5
		LIB-VER 3.3 LIB-NAME lib3 => 3
		NOT-LIB-VER 3.3 MAXAGE 1 => 1 2 4 5
		CAPA r => 4
		NOT-CAPA r => 0 1 2 3 5
		TYPE pubsub => 5
		NOT-TYPE pubsub => 0 1 2 3 4
		FLAGS P => 5
		FLAGS N => 0 1 2 3 4
		NOT-FLAGS P => 0 1 2 3 4
		FLAGS NP =>
		DB 0 => 0 1 2 3 4 5
		DB 1 =>
		NOT-DB 0 =>
		TYPE normal USER default SKIPME YES MAXAGE 1 => 2 3 4`) {
		filters, want, is := strings.Cut(strings.TrimSuffix(strings.TrimLeft(line, "\t"), "\n"), " =>")
		if !is {
			continue
		}
		for i := range calls {
			filters = strings.ReplaceAll(filters, fmt.Sprint("$", i), fmt.Sprint(base+uint64(i)))
		}
		var wanted []string
		for _, w := range strings.Fields(want) {
			wanted = append(wanted, fmt.Sprint(base+uint64(w[0]-'0')))
		}
		if got := found(filters); got != strings.Join(wanted, " ") {
			t.Errorf("CLIENT LIST %s: %s; want %s", filters, got, strings.Join(wanted, " "))
		}
	}
	for _, bad := range []string{"NOT-SKIPME yes", "NOT-MAXAGE 1", "NOT-IDLE 1", "IDLE 0", "FLAGS ?", "CAPA x", "DB -1", "NAME", "NOT-", "x y", "ID 1 NOT-MAXAGE 3"} {
		if got := lines(0, strings.Fields("CLIENT LIST "+bad)...); got[0] != '-' {
			t.Errorf("CLIENT LIST %s: %q", bad, got)
		}
	}
	if got := lines(0, "CLIENT", "KILL", "IP", "10.0.0.1", "NOT-NAME", "two"); got != ":1\r\n" || !calls[3].Client.gone.Load() || calls[2].Client.gone.Load() {
		t.Errorf("CLIENT KILL IP: %q", got)
	}
	if got := lines(0, "CLIENT", "KILL", "ID", fmt.Sprint(base+1), fmt.Sprint(base+2), "99999"); got != ":2\r\n" || !calls[1].Client.gone.Load() || !calls[2].Client.gone.Load() {
		t.Errorf("CLIENT KILL of two IDs: %q", got)
	}
	if info := lines(4, "CLIENT", "INFO"); !strings.Contains(info, " tot-cmds=") || !strings.Contains(info, " capa=r\n") {
		t.Errorf("CLIENT INFO: %s", info)
	}
}
