package main

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// scenario is something big that one client does.
type scenario struct {
	name   string
	before func(p *process) error // not measured
	run    func(p *process) error
	fills  []string // what it fills is needed by
}

func asking(args ...string) func(*process) error {
	return func(p *process) error { return p.ask(args...) }
}

// pauseScenarios are run in this order, each on both servers before the next.
func pauseScenarios(s *settings) []scenario {
	all := append([]scenario{
		{name: "nothing", run: func(*process) error { time.Sleep(2 * time.Second); return nil }},
	}, collectionPauses(s.elements)...)
	all = append(all, requestPauses()...)
	all = append(all, s.nodePauses()...)
	return append(all,
		scenario{name: "filling keys", fills: []string{"KEYS", "SCAN", "FLUSHALL", "BGSAVE", "memory-budget"}, run: func(p *process) error {
			return p.load(s.elements, keyPattern, func() string { return "abcdefgh" })
		}},
		scenario{name: "KEYS * and none of them matches", run: asking("KEYS", "*no such key")},
		scenario{name: "KEYS * of all", run: asking("KEYS", "*")},
		scenario{name: "SCAN COUNT 1000 through all", run: scanAll},
		scenario{name: "BGSAVE", run: bgsave},
		scenario{name: "SETs of 100 bytes to those keys, a third of peak", run: func(p *process) error { return s.writeSteadily(p, 3) }},
		scenario{name: "memory-budget down to 256 MiB", run: func(p *process) error {
			if p.name != "cobble" {
				return nil
			}
			if err := p.ask("CONFIG", "SET", "memory-budget", "256mb"); err != nil {
				return err
			}
			time.Sleep(3 * time.Second)
			return p.ask("CONFIG", "SET", "memory-budget", "25%")
		}},
		scenario{name: "FLUSHALL", run: asking("FLUSHALL")},
	)
}

// collectionPauses fill a key of each type and ask for all of it.
func collectionPauses(n int) []scenario {
	name := func(typ string) string { return pauseTag + typ }
	fill := func(typ, command string, words func(i int) []string, needed ...string) scenario {
		return scenario{name: "filling a " + typ, fills: needed, run: func(p *process) error {
			return p.pipeline((n+99)/100, func(dst []byte, at int) []byte {
				args := []string{command, name(typ)}
				for i := at * 100; i < min(at*100+100, n); i++ {
					args = append(args, words(i)...)
				}
				return encode(dst, args...)
			})
		}}
	}
	hash, set, list, zset := name("hash"), name("set"), name("list"), name("zset")
	return []scenario{
		fill("hash", "HSET", func(i int) []string { return []string{memberName(scattered(i, n)), "value:" + strconv.Itoa(i)} }, "HGETALL", "DUMP", "COPY"),
		{name: "HGETALL", run: asking("HGETALL", hash)},
		{name: "DUMP of the hash", run: asking("DUMP", hash)},
		{name: "COPY of the hash", run: asking("COPY", hash, pauseTag+"copy")},
		{name: "UNLINK of the COPY", run: asking("UNLINK", pauseTag+"copy")},
		{name: "DEL of the hash", run: asking("DEL", hash)},
		fill("set", "SADD", func(i int) []string { return []string{memberName(scattered(i, n))} }, "SMEMBERS", "SUNION", "SORT"),
		{name: "SMEMBERS", run: asking("SMEMBERS", set)},
		{name: "SUNION with itself", run: asking("SUNION", set, set)},
		{name: "SORT ALPHA LIMIT 0 10 of the set", run: asking("SORT", set, "ALPHA", "LIMIT", "0", "10")},
		{name: "UNLINK of the set", run: asking("UNLINK", set)},
		fill("list", "RPUSH", func(i int) []string { return []string{memberName(i)} }, "LRANGE"),
		{name: "LRANGE 0 -1", run: asking("LRANGE", list, "0", "-1")},
		{name: "DEL of the list", run: asking("DEL", list)},
		fill("zset", "ZADD", func(i int) []string { x := scattered(i, n); return []string{strconv.Itoa(x), memberName(x)} }, "ZRANGE"),
		{name: "ZRANGE 0 -1 WITHSCORES", run: asking("ZRANGE", zset, "0", "-1", "WITHSCORES")},
		{name: "DEL of the zset", run: asking("DEL", zset)},
	}
}

// requestPauses are requests that are large themselves, or compute.
func requestPauses() []scenario {
	sets := func(prefix string, n int) []byte {
		var dst []byte
		for i := range n {
			dst = encode(dst, "SET", prefix+strconv.Itoa(i), "value:"+strconv.Itoa(i))
		}
		return dst
	}
	send := func(request []byte, n int) func(*process) error {
		return func(p *process) error {
			conn, err := p.dial()
			if err != nil {
				return err
			}
			defer conn.Close()
			return askOn(conn, bufio.NewReader(conn), request, n)
		}
	}
	const many = 100_000
	const loop = "local x = 0; for i = 1, 20000000 do x = x + i end; return x"
	large := strings.Repeat("0123456789abcdef", 300<<20/16)
	multi := append(append(encode(nil, "MULTI"), sets(pauseTag, many)...), encode(nil, "EXEC")...)
	return []scenario{
		{name: "a pipeline of 100,000 SETs", run: send(sets("p:", many), many)},
		{name: "MULTI, 100,000 SETs, EXEC", run: send(multi, many+2)},
		{name: "SET of 300 MiB", run: asking("SET", pauseTag+"large", large)},
		{name: "GET of 300 MiB", run: asking("GET", pauseTag+"large")},
		{name: "DEL of 300 MiB", run: asking("DEL", pauseTag+"large")},
		{name: "a script that counts", run: asking("EVAL", loop, "1", pauseTag+"key")},
		{name: "100,000 keys that expire at once", run: func(p *process) error {
			at := strconv.FormatInt(time.Now().Add(2*time.Second).UnixMilli(), 10)
			if err := p.pipeline(many, func(dst []byte, i int) []byte { return encode(dst, "SET", "e:"+strconv.Itoa(i), "v", "PXAT", at) }); err != nil {
				return err
			}
			time.Sleep(4 * time.Second)
			return nil
		}},
		{name: "CLIENT LIST with 5,000 clients, ten times", run: func(p *process) error {
			var conns []net.Conn
			defer func() {
				for _, c := range conns {
					_ = c.Close()
				}
			}()
			for range 5000 {
				c, err := p.dial()
				if err != nil {
					return err
				}
				conns = append(conns, c)
			}
			for range 10 {
				if err := p.ask("CLIENT", "LIST"); err != nil {
					return err
				}
			}
			return nil
		}},
	}
}

func scanAll(p *process) error {
	conn, err := p.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 1<<16)
	for cursor := "0"; ; {
		if _, err := conn.Write(encode(nil, "SCAN", cursor, "COUNT", "1000")); err != nil {
			return err
		}
		for range 2 { // *2, and the length of the cursor
			if _, err := r.ReadString('\n'); err != nil {
				return err
			}
		}
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		if err := drain(r); err != nil {
			return err
		}
		if cursor = strings.TrimSpace(line); cursor == "0" {
			return nil
		}
	}
}

// bgsave saves in the background and waits for it.
func bgsave(p *process) error {
	if err := p.ask("BGSAVE"); err != nil {
		return err
	}
	for begin := time.Now(); time.Since(begin) < time.Minute; time.Sleep(50 * time.Millisecond) {
		if f := p.fields(); f["rdb_bgsave_in_progress"] == 0 && f["storage_compactions_running"] == 0 {
			return nil
		}
	}
	return fmt.Errorf("the save does not end")
}

// writeSteadily writes for five seconds at a fraction of what the server takes.
func (s *settings) writeSteadily(p *process, fraction float64) error {
	t := traffic{pick: uniform(s.elements, 3)}
	x, err := p.drive(s, t, time.Second, 0, 16)
	if err != nil {
		return err
	}
	_, err = p.drive(s, t, 8*time.Second, x.perSecond/fraction, 16)
	return err
}
