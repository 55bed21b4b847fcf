package badinput

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"cobble/tests/proc"
)

// raw sends bytes on a connection of its own, ends its side, and gives all that comes back.
func raw(t *testing.T, s *proc.Server, bytes string) string {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(exitTimeout))
	if _, err := io.WriteString(c, bytes); err != nil {
		t.Fatal(err)
	}
	c.(*net.TCPConn).CloseWrite()
	out, err := io.ReadAll(c)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		t.Fatal(err)
	}
	return string(out)
}

// TestMalformed sends what is no command. The replies are those of redis-server, which gets the same bytes.
func TestMalformed(t *testing.T) {
	cobble := start(t)
	redis := proc.Start(t, proc.Options{Program: proc.Redis, Standalone: true})
	for _, bytes := range []string{
		"*1\r\n:1\r\n",
		"*1\r\nPING\r\n",
		"*x\r\n",
		"*2147483648\r\n",
		"*99999999999999999999\r\n",
		"*-1\r\nPING\r\n",
		"*0\r\nPING\r\n",
		"*1\r\n$-1\r\n",
		"*1\r\n$x\r\n",
		"*2\r\n$3\r\nGET\r\n$536870913\r\n",
		"*2\r\n$3\r\nGET\r\n$99999999999999999999\r\n",
		"*1\r\n$4\r\nPI",       // half a command
		"*2\r\n$3\r\nGET\r\n",  // the same
		"*1048576\r\n$4\r\n",   // a giant count that is allowed, and nothing behind it
		"*1\r\n$536870912\r\n", // a giant length that is allowed, and nothing behind it
		"SET a \"unbalanced\r\n",
		"PING 'x'y\r\n",
		strings.Repeat("a", 70<<10),
		"*" + strings.Repeat("1", 70<<10),
		"\r\n\r\nPING\r\n",
		"*1\r\n$4\r\nPING\r\n*1\r\n!4\r\n", // good, then bad
		"GET\r\n",
		"*1\r\n$3\r\nGET\r\n",
		"*2\r\n$4\r\nNOPE\r\n$1\r\nx\r\n",
		"*1\r\n$0\r\n\r\n",
	} {
		got, want := raw(t, cobble, bytes), raw(t, redis, bytes)
		if got != want {
			t.Errorf("%.40q: cobble answers %q, redis %q", bytes, got, want)
		}
	}
}

// TestGiantPromises announces gigabytes on many connections and sends nothing: memory is taken for what has come.
func TestGiantPromises(t *testing.T) {
	s := start(t)
	for range 40 {
		c, err := net.Dial("tcp", s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nabc")
	}
	for range 40 {
		c, err := net.Dial("tcp", s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "*1048576\r\n$4\r\nMSET\r\n")
	}
	proc.Eventually(t, exitTimeout, "the connections", func() error {
		n := strings.Count(s.Do("CLIENT", "LIST").Text, "\n")
		if n < 80 {
			return fmt.Errorf("%d clients", n)
		}
		return nil
	})
	if rss := residentMB(t, s); rss > 2000 { // 40 × 512 MB would be 20 GB
		t.Errorf("%d MB resident", rss)
	}
}

func residentMB(t *testing.T, s *proc.Server) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
	if err != nil {
		t.Fatal(err)
	}
	var kb int
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		t.Fatal(err)
	}
	return kb >> 10
}

// TestBinaryKeys uses keys and values of any bytes, also after a kill -9.
func TestBinaryKeys(t *testing.T) {
	s := start(t)
	keys := []string{"", "\x00", "\r\n", "*1\r\n$4\r\nPING\r\n", "{", "{}", "{}x", "}{", "\xff\xfe\x00\xff", strings.Repeat("k", 70_000)}
	for i := range 256 {
		keys = append(keys, string([]byte{byte(i), 0, byte(255 - i)}))
	}
	for _, k := range keys {
		s.Do("SET", k, "v"+k)
		s.Do("HSET", "hash"+k, k, k)
	}
	check := func() {
		t.Helper()
		for _, k := range keys {
			if got := s.Do("GET", k).Text; got != "v"+k {
				t.Fatalf("%.40q is %.40q", k, got)
			}
			if got := s.Do("HGET", "hash"+k, k).Text; got != k {
				t.Fatalf("field %.40q is %.40q", k, got)
			}
		}
	}
	check()
	s.Kill9()
	s.Restart()
	check()
}

// TestRestoreGarbage feeds RESTORE what DUMP never wrote.
func TestRestoreGarbage(t *testing.T) {
	s := start(t)
	s.Do("HSET", "hash", "a", "b", "c", "d")
	dump := s.Do("DUMP", "hash").Text
	const bad = "ERR DUMP payload version or checksum are wrong"
	payloads := []string{"", "x", strings.Repeat("\xff", 1000), dump[:len(dump)-1], dump + "x"}
	for i := range dump {
		b := []byte(dump)
		b[i] ^= 0x40
		payloads = append(payloads, string(b))
	}
	for _, p := range payloads {
		if got := errorOf(s, "RESTORE", "new", "0", p); got != bad {
			t.Errorf("RESTORE of %q: %q", p, got)
		}
	}
	// Zeros have the right checksum, which is zero, and are an old version.
	if got := errorOf(s, "RESTORE", "new", "0", strings.Repeat("\x00", 10)); got != "ERR Bad data format" {
		t.Errorf("RESTORE of zeros: %q", got)
	}
	if got := errorOf(s, "RESTORE", "new", "-1", dump); got != "ERR Invalid TTL value, must be >= 0" {
		t.Errorf("a negative TTL: %q", got)
	}
	if got := errorOf(s, "RESTORE", "hash", "0", dump); got != "BUSYKEY Target key name already exists." {
		t.Errorf("onto a key: %q", got)
	}
	if n, _ := s.Do("EXISTS", "new").Int(); n != 0 {
		t.Error("garbage made a key")
	}
}

// TestBigValue stores a value of 512 MB, the largest there is, and reads it back.
func TestBigValue(t *testing.T) {
	if os.Getenv("COBBLE_BIG") == "" {
		t.Skip("COBBLE_BIG=1 runs it: it takes gigabytes of memory")
	}
	s := start(t)
	c := s.Conn()
	c.Timeout = 2 * time.Minute
	big := strings.Repeat("0123456789abcdef", 512<<20/16)
	if r, err := c.Do("SET", "big", big); err != nil || r.Err() != nil {
		t.Fatal(err, r.Err())
	}
	t.Logf("%d MB resident after SET", residentMB(t, s))
	if r, err := c.Do("GET", "big"); err != nil || r.Text != big {
		t.Fatalf("GET: %d bytes, %v, %v", len(r.Text), err, r.Err())
	}
	t.Logf("%d MB resident after GET", residentMB(t, s))
	proc.Eventually(t, time.Minute, "the memory of the copies to be given back", func() error {
		if mb := residentMB(t, s); mb > 512+256 { // the value's rows stay
			return fmt.Errorf("%d MB are resident", mb)
		}
		return nil
	})
	const tooLong = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
	if got := errorOf(s, "APPEND", "big", "x"); got != tooLong {
		t.Errorf("APPEND: %q", got)
	}
	s.Kill9()
	s.Restart()
	if n, _ := s.Do("STRLEN", "big").Int(); n != 512<<20 {
		t.Errorf("%d bytes after kill -9", n)
	}
}
