package migrate

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"cobble/tests/proc"
	"cobble/tools/respconn"
)

// patience is how long one answer may take.
const patience = time.Minute

func start(t *testing.T, program proc.Program, args ...string) *proc.Server {
	t.Helper()
	return proc.Start(t, proc.Options{Program: program, Standalone: true, Args: args})
}

// sameButExpiry compares values; what was sent as a time to live may be off by the
// time that it took.
func sameButExpiry(t *testing.T, key, got, want string) {
	t.Helper()
	gotValue, gotAt, _ := strings.Cut(got, " expires ")
	wantValue, wantAt, _ := strings.Cut(want, " expires ")
	g, _ := strconv.ParseInt(gotAt, 10, 64)
	w, _ := strconv.ParseInt(wantAt, 10, 64)
	if gotValue != wantValue || (g == -1) != (w == -1) || max(g-w, w-g) > 60_000 {
		differ(t, key, got, want)
	}
}

// differ shows where two values begin to differ.
func differ(t *testing.T, what, got, want string) {
	t.Helper()
	same := 0
	for same < min(len(got), len(want)) && got[same] == want[same] {
		same++
	}
	from := max(0, same-40)
	t.Errorf("%s, after %d bytes\ngot  …%.300s\nwant …%.300s", what, same, got[from:], want[from:])
}

// Every key arrives whole and leaves, between servers of both kinds.
func TestKeysMove(t *testing.T) {
	for _, c := range []struct{ from, to proc.Program }{{proc.Cobble, proc.Redis}, {proc.Redis, proc.Cobble}, {proc.Cobble, proc.Cobble}} {
		t.Run(fmt.Sprint(c.from, " to ", c.to), func(t *testing.T) {
			t.Parallel()
			from, to := start(t, c.from), start(t, c.to)
			want := fillOne(t, from, 120)
			host, port := "127.0.0.1", strconv.Itoa(to.Port)
			names := []string{"none", "key:0", "gone"}
			for i := 1; i < 60; i++ {
				names = append(names, name(i))
			}
			replies := []respconn.Reply{from.Do(append([]string{"MIGRATE", host, port, "", "0", "60000", "KEYS"}, names...)...)}
			for i := 60; i < 120; i++ {
				args := []string{"MIGRATE", host, port, name(i), "0", "60000"}
				if i%3 == 0 {
					args = append(args, "COPY")
				}
				if i%5 == 0 {
					to.Do("SET", name(i), "old", "EX", "1000")
					args = append(args, "REPLACE")
				}
				replies = append(replies, from.Do(args...))
			}
			for i, r := range replies {
				if r.Text != "OK" {
					t.Fatalf("MIGRATE %d: %v", i, r)
				}
			}
			for key, w := range want {
				sameButExpiry(t, key, value(to.Do, key), w)
				i, _ := strconv.Atoi(key[4:])
				copied := i >= 60 && i%3 == 0
				if left := from.Do("EXISTS", key).Text == "1"; left != copied {
					t.Errorf("%s: at the source %v, copied %v", key, left, copied)
				}
				if copied && value(from.Do, key) != w {
					t.Errorf("%s was copied, and changed at the source", key)
				}
			}
		})
	}
}

// What is refused, is refused in Redis's words, and loses nothing.
func TestRefusalsAreRedis(t *testing.T) {
	target := start(t, proc.Redis, "--maxclients", "200")
	locked := start(t, proc.Redis, "--requirepass", "secret", "--user", "mover", "on", ">word", "~*", "+@all")
	port, lockedPort := strconv.Itoa(target.Port), strconv.Itoa(locked.Port)
	closed := strconv.Itoa(proc.FreePort(t))
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	_, silentPort, _ := net.SplitHostPort(silent.Addr().String())
	target.Do("SET", "busy", "old")
	script := []string{ // a time that is to pass is short, all others are longer than a machine stalls
		"SET k v", "SET busy new", "HSET h f v",
		"MIGRATE 127.0.0.1 PORT none 0 60000", "MIGRATE 127.0.0.1 PORT '' 0 60000 KEYS none never",
		"MIGRATE 127.0.0.1 CLOSED none 0 60000", "MIGRATE 127.0.0.1 CLOSED k 0 60000", "MIGRATE nohost.invalid PORT k 0 60000",
		"MIGRATE 127.0.0.1 SILENT k 0 50", "EXISTS k",
		"MIGRATE 127.0.0.1 PORT k 0 60000 KEYS k", "MIGRATE 127.0.0.1 PORT k 0 60000 BOGUS", "MIGRATE 127.0.0.1 PORT k x 60000",
		"MIGRATE 127.0.0.1 PORT k 0 x", "MIGRATE 127.0.0.1 PORT k 0 60000 AUTH", "MIGRATE 127.0.0.1 PORT k 0 60000 AUTH2 a",
		"MIGRATE 127.0.0.1 PORT", "MIGRATE 127.0.0.1 PORT '' 0 60000 KEYS", "MIGRATE 127.0.0.1 PORT '' 0 60000",
		"MIGRATE 127.0.0.1 PORT busy 0 60000", "EXISTS busy", "MIGRATE 127.0.0.1 PORT '' 0 60000 KEYS busy k none h", "EXISTS busy", "EXISTS k", "EXISTS h",
		"MIGRATE 127.0.0.1 PORT busy 0 60000 REPLACE COPY", "EXISTS busy", "MIGRATE 127.0.0.1 PORT busy 0 -1 REPLACE", "EXISTS busy",
		"SET a 1", "SET b 2", "MIGRATE 127.0.0.1 PORT a 99 60000", "MIGRATE 127.0.0.1 PORT a 0 60000 AUTH nonsense", "EXISTS a",
		"MIGRATE 127.0.0.1 LOCKED a 0 60000", "MIGRATE 127.0.0.1 LOCKED a 0 60000 AUTH wrong", "EXISTS a",
		"MIGRATE 127.0.0.1 LOCKED b 0 60000 AUTH2 mover wrong", "EXISTS b",
		"MIGRATE 127.0.0.1 LOCKED a 0 60000 AUTH secret", "EXISTS a",
		"MIGRATE 127.0.0.1 LOCKED b 0 60000 AUTH2 mover word", "EXISTS b", "MIGRATE 127.0.0.1 LOCKED '' 0 60000 AUTH secret KEYS a b",
		"SET c 3", "MIGRATE 127.0.0.1 LOCKED c 3 60000 AUTH secret REPLACE", "SET d 4", "MIGRATE 127.0.0.1 LOCKED d 0 60000 AUTH secret", "EXISTS d",
		"MIGRATE 127.0.0.1 SELF h 0 100", "SET e 5", "MIGRATE 127.0.0.1 SELF e 0 100 REPLACE", "EXISTS e",
		"MULTI", "SET f 6", "MIGRATE 127.0.0.1 PORT f 0 60000 REPLACE", "EXISTS f", "EXEC",
	}
	run := func(program proc.Program) (replies []string) {
		s := start(t, program)
		conn := s.Conn()
		target.Do("FLUSHALL")
		target.Do("SET", "busy", "old")
		for _, line := range script {
			line = strings.NewReplacer("PORT", port, "LOCKED", lockedPort, "CLOSED", closed, "SILENT", silentPort, "SELF", strconv.Itoa(s.Port)).Replace(line)
			args := strings.Fields(line)
			for i, a := range args {
				if a == "''" {
					args[i] = ""
				}
			}
			r, err := conn.Do(args...)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			replies = append(replies, r.String())
		}
		if got := target.Do("MGET", "busy", "k", "f").String(); !strings.Contains(got, "new") {
			t.Errorf("the target has %s", got)
		}
		admin := locked.Conn()
		for _, line := range []string{"AUTH secret", "FLUSHALL"} {
			if r, err := admin.Do(strings.Fields(line)...); err != nil || r.Text != "OK" {
				t.Fatal(line, r, err)
			}
		}
		return replies
	}
	theirs, ours := run(proc.Redis), run(proc.Cobble)
	for i := range script {
		if ours[i] != theirs[i] {
			t.Errorf("%s\n  ours   %s\n  theirs %s", script[i], ours[i], theirs[i])
		}
	}
}
