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
