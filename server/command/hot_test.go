package command

import (
	"fmt"
	"testing"
)

// BenchmarkHotCommands runs commands on keys in memory: slot, lock, row, log and
// reply, but no socket and no wait for the disk.
func BenchmarkHotCommands(b *testing.B) {
	for _, line := range []string{"GET", "SET", "SET+EX", "INCR", "EXISTS", "EXPIRE"} {
		b.Run(line, func(b *testing.B) {
			c, do := newRunner(b)
			const keys = 10_000
			names := make([][]byte, keys)
			for i := range names {
				names[i] = fmt.Appendf(nil, "key:%012d", i)
				do("SET", string(names[i]), "1000")
			}
			value := make([]byte, 100)
			args := map[string][][]byte{
				"GET": {[]byte("get"), nil}, "SET": {[]byte("set"), nil, value}, "SET+EX": {[]byte("set"), nil, value, []byte("EX"), []byte("100")},
				"INCR": {[]byte("incr"), nil}, "EXISTS": {[]byte("exists"), nil}, "EXPIRE": {[]byte("expire"), nil, []byte("100")},
			}[line]
			c.Args, c.Cmd = args, c.Env.Table.Find(args[0])
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				c.Out.Reset()
				args[1] = names[i*7919%keys]
				if err := c.Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAddToSet adds members to one set, most of them new.
func BenchmarkAddToSet(b *testing.B) {
	c, do := newRunner(b)
	for i := range 2000 {
		do("SADD", "set", fmt.Sprint("first", i))
	}
	member := make([]byte, 0, 32)
	args := [][]byte{[]byte("sadd"), []byte("set"), nil}
	c.Args, c.Cmd = args, c.Env.Table.Find(args[0])
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		c.Out.Reset()
		args[2] = fmt.Appendf(member[:0], "element:%012d", i*7919%300_000)
		if err := c.Run(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkExecute runs whole commands, checks included, for the user who may do
// everything and for one with patterns.
func BenchmarkExecute(b *testing.B) {
	for _, user := range []string{"default", "restricted"} {
		for _, line := range []string{"GET", "SET"} {
			b.Run(line+"/"+user, func(b *testing.B) {
				c, args := restrictedCall(b, user, line)
				b.ReportAllocs()
				for b.Loop() {
					c.Out.Reset()
					c.Execute(args)
				}
			})
		}
	}
}

// restrictedCall is the session of a user and a command that he may run.
func restrictedCall(t testing.TB, user, line string) (*Call, [][]byte) {
	c, _ := newRunner(t)
	execute(c, "ACL", "SETUSER", "restricted", "on", "nopass", "+@read", "+@write", "-@dangerous", "%R~config:*", "~key:*", "&news")
	if got := execute(c, "AUTH", user, "x"); got != "+OK\r\n" {
		t.Fatal(got)
	}
	execute(c, "SET", "key:000000000001", "1000")
	args := [][]byte{[]byte(line), []byte("key:000000000001")}
	if line == "SET" {
		args = append(args, make([]byte, 100))
	}
	return c, args
}

// A user's rules cost no memory per command.
func TestRestrictedUsersDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, line := range []string{"GET", "SET"} {
		c, args := restrictedCall(t, "restricted", line)
		var theirs, ours float64
		run := func() {
			c.Out.Reset()
			c.Execute(args)
		}
		run()
		theirs = testing.AllocsPerRun(500, run)
		execute(c, "RESET")
		ours = testing.AllocsPerRun(500, run)
		if theirs > ours {
			t.Errorf("%s: %v allocations, %v without rules", line, theirs, ours)
		}
	}
}

// BenchmarkPermission is the check of one command alone.
func BenchmarkPermission(b *testing.B) {
	for _, user := range []string{"default", "restricted"} {
		for _, line := range []string{"GET", "SET"} {
			b.Run(line+"/"+user, func(b *testing.B) {
				c, args := restrictedCall(b, user, line)
				c.Execute(args)
				b.ReportAllocs()
				for b.Loop() {
					if c.refusal() != nil {
						b.Fatal("refused")
					}
				}
			})
		}
	}
}
