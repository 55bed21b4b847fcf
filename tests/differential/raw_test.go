package differential

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// raw are bytes that are not quite RESP, or RESP in unusual ways. Each is followed by a PING where the server may still
// listen, so that the comparison sees whether it does.
var raw = []string{
	"PING\r\n", "PING\n", "ping hello\r\n", "  PING  \r\n", "\r\n", "\r\n\r\nPING\r\n", "SET {t}k \"a b\"\r\nGET {t}k\r\n",
	"SET {t}k 'a\\'b'\r\nGET {t}k\r\n", "SET {t}k \"\\x41\\n\\\"\"\r\nGET {t}k\r\n", "SET {t}k \"unbalanced\r\n", "SET {t}k 'x'y\r\n", "GET\r\n", "nosuch a b c\r\n",
	"*1\r\n$4\r\nPING\r\n", "*1\r\n$4\r\nping\r\n", "*0\r\n", "*-1\r\n", "*-5\r\n", "*\r\n", "*x\r\n", "*1x\r\n", "* 1\r\n", "*99999999999999999999\r\n",
	"*2147483648\r\n", "*1\r\n$-1\r\n", "*1\r\n$x\r\n", "*1\r\n$\r\n", "*1\r\n:4\r\nPING\r\n", "*1\r\nPING\r\n", "*1\r\n$536870913\r\n", "*1\r\n$99999999999999\r\n",
	"*2\r\n$4\r\nPING\r\n$0\r\n\r\n", "*1\r\n$0\r\n\r\n", "*3\r\n$3\r\nSET\r\n$4\r\n{t}k\r\n$3\r\n\x00\r\n\r\n*2\r\n$3\r\nGET\r\n$4\r\n{t}k\r\n",
	"*1\n$4\nPING\n", "*1\r\n$4\r\nPINGxx", "$4\r\nPING\r\n", ":1\r\n", "+PING\r\n",
	"*2\r\n$3\r\nGET\r\n$4\r\n{t}k\r\nGET {t}k\r\n*1\r\n$4\r\nPING\r\n", strings.Repeat("PING\r\n", 50),
	strings.Repeat("x", 200000), strings.Repeat("x", 200000) + "\r\n", "*" + strings.Repeat("1", 200000),
	"*1\r\n$" + strings.Repeat("1", 200000), "*3\r\n$3\r\nset\r\n$1\r\na\r\n$x\r\n",
	"*1\r\n$0000000004\r\nPING\r\n", "*+1\r\n$4\r\nPING\r\n", "*01\r\n$4\r\nPING\r\n", "GET \"{t}k\r\nPING\r\n", "PING \"\"\r\n", "PING ''\r\n",
	"*2\r\n$4\r\nECHO\r\n$5\r\na\r\nbc\r\n", "*1\r\n$11\r\nNOSUCH\r\ncmd\r\n", "*2\r\n$6\r\nno\nsuc\r\n$3\r\na\rb\r\n",
	"*1\r\n$4\r\nQUIT\r\n*1\r\n$4\r\nPING\r\n", "QUIT\r\n",
}

func (s *servers) testRaw(t *testing.T) {
	for _, text := range raw {
		oracle := exchange(t, s.oracle, text)
		subject := exchange(t, s.subject, text)
		if oracle != subject {
			t.Errorf("%.100q:\n    oracle:  %.400s\n    subject: %.400s", text, oracle, subject)
		}
	}
}

// exchange sends bytes and a PING, closes its half, and gives all that comes back until the server closes too.
func exchange(t *testing.T, addr, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(replyTimeout))
	io.WriteString(c, text+"PING end\r\n") // a server may hang up before it has all; what it said is still there
	c.(*net.TCPConn).CloseWrite()
	got, err := io.ReadAll(c)
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		return fmt.Sprintf("%q and no end", got)
	}
	// A server that closes while bytes are unread resets the connection, which is as good as closing it.
	return fmt.Sprintf("%q", got)
}
