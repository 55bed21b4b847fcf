package server

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"cobble/server/command"
	"cobble/server/resp"
)

// benchmarkRounds runs rounds of pipelined commands through parser, dispatch,
// engine, log and replies; all but the sockets.
func benchmarkRounds(b *testing.B, depth int, line func(i int) string) {
	n := start(b, "--appendonly", "no", "--memory-budget", "1gb")
	s := session{srv: n.Server, client: &command.Client{Kill: func() {}}}
	s.call = command.NewCall(n.Env(), s.client)
	s.call.NoWait = true
	s.in.Limits = resp.Limits{Bulk: 512 << 20}
	n.Env().Clients.Add(s.client, n.Env())
	var rounds [][]byte
	for r := range 1024 {
		var b bytes.Buffer
		for i := range depth {
			b.WriteString(line(r*depth + i))
		}
		rounds = append(rounds, b.Bytes())
	}
	now := time.Now().UnixMilli()
	b.ReportAllocs()
	i := 0
	began := cpuSeconds()
	for b.Loop() {
		s.in.Filled(copy(s.in.Space(), rounds[i%len(rounds)]))
		for next := s.advance(now); next != stepInput; next = s.advance(now) {
			if next != stepLater {
				b.Fatal(next)
			}
			s.call.Later(nil)
		}
		s.call.Flush()
		if err := n.Env().Engine.Await(s.call.LSN); err != nil {
			b.Fatal(err)
		}
		s.call.LSN = 0
		s.call.Out.Reset()
		i++
	}
	b.ReportMetric((cpuSeconds()-began)*1e9/float64(b.N*depth), "cpu-ns/command")
}

// cpuSeconds is what this process has used, background work included; it is worth
// more than the clock on a machine that others use.
func cpuSeconds() float64 {
	u := usage()
	return u.UserCPU + u.SystemCPU
}

func setLine(i int) string {
	return fmt.Sprintf("*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$100\r\n%0100d\r\n", i%10000, i)
}

func getLine(i int) string {
	return fmt.Sprintf("*2\r\n$3\r\nGET\r\n$16\r\nkey:%012d\r\n", i%10000)
}

func BenchmarkSet16(b *testing.B) { benchmarkRounds(b, 16, setLine) }
func BenchmarkGet16(b *testing.B) { benchmarkRounds(b, 16, getLine) }
func BenchmarkGet1(b *testing.B)  { benchmarkRounds(b, 1, getLine) }
func BenchmarkSet1(b *testing.B)  { benchmarkRounds(b, 1, setLine) }
func BenchmarkPing16(b *testing.B) {
	benchmarkRounds(b, 16, func(int) string { return "*1\r\n$4\r\nPING\r\n" })
}
