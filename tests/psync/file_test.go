package psync

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"cobble/tests/proc"
	"cobble/tools/respconn"
)

const library = "#!lua name=lib\nredis.register_function('seven', function() return 7 end)"

// filled is a server that has every type, small and large.
func filled(t *testing.T, o proc.Options) *proc.Server {
	t.Helper()
	s := proc.Start(t, o)
	c := s.Conn()
	defer c.Close()
	fill(t, c, "")
	return s
}

// fill makes keys of every type, small and large, that begin so.
func fill(t *testing.T, c *respconn.Conn, prefix string) {
	t.Helper()
	send := func(args ...string) {
		t.Helper()
		args[1] = prefix + args[1]
		c.Send(args...)
		if r, err := c.Receive(); err != nil || r.Err() != nil {
			t.Fatalf("%.100q: %v, %v", args, r, err)
		}
	}
	many := func(n int, head []string, each func(i int) []string) {
		args := head
		for i := range n {
			args = append(args, each(i)...)
		}
		send(args...)
	}
	one := func(i int) []string { return []string{fmt.Sprint("e", i)} }
	pair := func(i int) []string { return []string{fmt.Sprint("f", i), strings.Repeat("v", i%200)} }
	scored := func(i int) []string { return []string{strconv.Itoa(i * 7 % 1000), fmt.Sprint("m", i)} }
	send("SET", "text", "hello")
	send("SET", "integer", "-123456789012")
	send("SET", "empty", "")
	send("SET", "long", strings.Repeat("0123456789", 100_000))
	send("SETRANGE", "holes", "300000", "end")
	send("SETBIT", "bits", "1000000", "1")
	send("SET", "expires", "v", "PX", "10000000")
	send("SET", "key with \r\n and \x00", "\x00\xff")
	for _, n := range []int{3, 700} {
		name := fmt.Sprint("of ", n)
		many(n, []string{"HSET", "hash " + name}, pair)
		many(n, []string{"RPUSH", "list " + name}, one)
		many(n, []string{"SADD", "set " + name}, one)
		many(n, []string{"SADD", "ints " + name}, func(i int) []string { return []string{strconv.Itoa(i * i)} })
		many(n, []string{"ZADD", "zset " + name, "-inf", "low", "1.5", "half", "-0", "zero"}, scored)
		many(n, []string{"PFADD", "hll " + name}, one)
		send("PEXPIRE", "hash "+name, "20000000")
		for i := range n {
			send("XADD", "stream "+name, fmt.Sprintf("%d-%d", 1000+i/3, i%3+1), "f", strings.Repeat("x", i%50), "g", strconv.Itoa(i))
		}
		send("XDEL", "stream "+name, "1000-2")
		send("XTRIM", "stream "+name, "MINID", "1000-2")
		c.Send("XGROUP", "CREATE", prefix+"stream "+name, "g", "0")
		c.Send("XREADGROUP", "GROUP", "g", "c1", "COUNT", strconv.Itoa(n/2), "STREAMS", prefix+"stream "+name, ">")
		c.Send("XREADGROUP", "GROUP", "g", "c2", "COUNT", "10", "STREAMS", prefix+"stream "+name, ">")
		c.Send("XGROUP", "CREATE", prefix+"stream "+name, "idle", "$", "ENTRIESREAD", "5")
		c.Send("XGROUP", "CREATECONSUMER", prefix+"stream "+name, "idle", "nobody")
		for range 5 {
			if r, err := c.Receive(); err != nil || r.Err() != nil {
				t.Fatalf("groups: %v, %v", r, err)
			}
		}
	}
	send("RPUSH", "list of large", strings.Repeat("l", 100_000), "s", strings.Repeat("m", 200_000))
	send("ZADD", "geo", "3479099956230698", "Palermo")
	send("XADD", "stream trimmed", "MAXLEN", "0", "5-5", "f", "v")
	for i := range 1100 {
		send("XADD", "stream trimmed at once", strconv.Itoa(i+1), "f", "v")
	}
	send("XTRIM", "stream trimmed at once", "MAXLEN", "20")
}

// cli runs redis-cli against a server.
func cli(t *testing.T, s *proc.Server, args ...string) string {
	t.Helper()
	out, err := exec.Command(proc.RedisCLI(t), append([]string{"-p", strconv.Itoa(s.Port)}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("redis-cli %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// redisWith starts a redis-server on a file.
func redisWith(t *testing.T, file string) *proc.Server {
	t.Helper()
	dir := t.TempDir()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "dump.rdb"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	return proc.Start(t, proc.Options{Program: proc.Redis, Standalone: true, Dir: dir})
}

// What redis-cli --rdb keeps of a server, redis-server loads, and has then what the server has. Both ways in which a file
// is sent are tried, and both drivers of connections.
func TestFile(t *testing.T) {
	for _, args := range [][]string{{"--event-loop", "yes", "--repl-diskless-sync", "yes"}, {"--event-loop", "no", "--repl-diskless-sync", "no"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			s := filled(t, proc.Options{Standalone: true, Args: args})
			s.Do("FUNCTION", "LOAD", library)
			file := filepath.Join(t.TempDir(), "out.rdb")
			said := cli(t, s, "--rdb", file)
			if !strings.Contains(said, "Transfer finished with success") {
				t.Fatal(said)
			}
			r := redisWith(t, file)
			if err := differences(content(t, s), content(t, r)); err != nil {
				t.Error(err)
			}
			if got := r.Do("FCALL", "seven", "0"); got.Text != "7" {
				t.Errorf("the function: %v", got)
			}
			functions := filepath.Join(t.TempDir(), "functions.rdb")
			cli(t, s, "--functions-rdb", functions)
			r = redisWith(t, functions)
			if n, got := r.Do("DBSIZE"), r.Do("FCALL", "seven", "0"); n.Text != "0" || got.Text != "7" {
				t.Errorf("of the functions alone: %v keys, %v", n, got)
			}
		})
	}
}

// backup has redis-cli keep a file of each primary of a cluster, and looks for all their keys in them.
func backup(t *testing.T, c *proc.Cluster, primaries ...*proc.Server) {
	t.Helper()
	dir := t.TempDir()
	c.CLI("--cluster", "backup", c.Servers[0].Addr, dir)
	files, err := filepath.Glob(filepath.Join(dir, "*.rdb"))
	if err != nil || len(files) != len(primaries) {
		t.Fatalf("%v, %v", files, err)
	}
	kept, want := map[string]string{}, map[string]string{}
	for _, file := range files {
		for key, text := range content(t, redisWith(t, file)) {
			if kept[key] != "" {
				t.Errorf("%s is in two files", key)
			}
			kept[key] = text
		}
	}
	for _, s := range primaries {
		for key, text := range content(t, s) {
			want[key] = text
		}
	}
	if err := differences(want, kept); err != nil || len(want) == 0 {
		t.Errorf("%d keys: %v", len(want), err)
	}
}
