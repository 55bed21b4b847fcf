package differential

import (
	"io"
	"net"
	"testing"
	"time"

	"cobble/tools/respconn"
)

// Connections end when the server is through with what it was sent: the FLUSHDB of a sequence that a known difference had
// ended once emptied the server in the middle of the next.
func TestCloseWaitsForTheServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := respconn.Dial(l.Addr().String(), replyTimeout)
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Send("FLUSHDB")
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	s, closed := &side{conns: []*respconn.Conn{c}}, make(chan struct{})
	go func() {
		s.close()
		close(closed)
	}()
	if sent, err := io.ReadAll(server); err != nil || len(sent) == 0 {
		t.Errorf("the server was sent %q, %v", sent, err)
	}
	select {
	case <-closed:
		t.Error("the connection was closed before the server had run the command")
	case <-time.After(20 * time.Millisecond):
	}
	server.Close()
	<-closed
}
