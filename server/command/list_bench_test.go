package command

import (
	"fmt"
	"testing"
)

// BenchmarkLists pushes, pops, reads, removes and inserts: at a list of rows, and at one that is inline.
func BenchmarkLists(b *testing.B) {
	for _, length := range []int{10, 10_000} {
		for _, line := range []string{"LPUSH", "RPOP", "LRANGE", "LINDEX", "LREM", "LINSERT"} {
			b.Run(fmt.Sprint(line, "/", length), func(b *testing.B) {
				c, do := newRunner(b)
				for i := range length {
					do("RPUSH", "l", fmt.Sprint("value:", i))
				}
				args := [][]byte{[]byte(line), []byte("l")}
				undo := [][]byte{[]byte("rpop"), []byte("l")}
				switch line {
				case "LPUSH":
					args = append(args, []byte("value"))
				case "RPOP":
					undo = [][]byte{[]byte("lpush"), []byte("l"), []byte("value")}
				case "LRANGE":
					args = append(args, []byte("0"), []byte("99"))
				case "LREM":
					args = append(args, []byte("1"), []byte("value:0"))
					undo = [][]byte{[]byte("lpush"), []byte("l"), []byte("value:0")}
				case "LINSERT":
					args = append(args, []byte("before"), []byte("value:0"), []byte("value"))
					undo = [][]byte{[]byte("lpop"), []byte("l")}
				case "LINDEX":
					args = append(args, fmt.Append(nil, length/2))
				}
				cmd, back := c.Env.Table.Find(args[0]), c.Env.Table.Find(undo[0])
				b.ReportAllocs()
				for b.Loop() { // each push is undone by a pop and the other way round
					c.Out.Reset()
					c.Args, c.Cmd = args, cmd
					if err := c.Run(); err != nil {
						b.Fatal(err)
					}
					if line != "LRANGE" && line != "LINDEX" {
						c.Args, c.Cmd = undo, back
						if err := c.Run(); err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}
