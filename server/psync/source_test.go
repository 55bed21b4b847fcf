package psync

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"cobble/server/resp"
	"cobble/storage"
)

func newSource(t testing.TB, settings Settings, m mutants) *Source {
	t.Helper()
	o := storage.Options{Dir: t.TempDir(), SegmentBytes: 64 << 10, Now: time.Now, Logf: func(string, ...any) {}, OnFatal: func(error) {}}
	e, err := storage.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	settings.Diskless = true
	if settings.Ping == 0 {
		settings.Ping = time.Second
	}
	s := NewSource(Options{
		Engine: e, Dir: t.TempDir(), Version: "7.2.0", Shared: "functions",
		Codes:    func([]byte) ([]string, error) { return nil, nil },
		Settings: func() Settings { return settings },
		Logf:     func(byte, string, ...any) {},
		mutant:   m,
	})
	t.Cleanup(s.Close)
	return s
}

// visit follows until the stream has begun, and breaks the connection.
func visit(t *testing.T, s *Source, partial bool) {
	t.Helper()
	here, there := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		s.Serve(Request{Conn: there, In: &resp.Reader{}, Addr: "127.0.0.1:1", Partial: partial, ID: "?", Stop: make(chan struct{})})
	}()
	in := bufio.NewReader(here)
	for line := ""; !strings.HasSuffix(line, "SELECT\r\n"); {
		var err error
		if line, err = in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	_ = here.Close()
	<-served
}

// A stream holds the log and a file of it: only those wait that a follower can come back to, and not any number.
func TestStreamsThatWait(t *testing.T) {
	t.Parallel()
	s := newSource(t, Settings{Timeout: time.Minute, Backlog: 1 << 20}, mutants{})
	waiting := func() map[string]*stream {
		s.mu.Lock()
		defer s.mu.Unlock()
		out := map[string]*stream{}
		for id, st := range s.streams {
			out[id] = st
		}
		return out
	}
	visit(t, s, false)
	if n := len(waiting()); n != 0 {
		t.Fatalf("%d streams wait for one that was told no id", n)
	}
	visit(t, s, true)
	first := waiting()
	if len(first) != 1 {
		t.Fatalf("%d streams wait for one that was told its id", len(first))
	}
	for range maxWaiting {
		visit(t, s, true)
	}
	now := waiting()
	if len(now) != maxWaiting {
		t.Errorf("%d streams wait, where at most %d may", len(now), maxWaiting)
	}
	for id := range first {
		if now[id] != nil {
			t.Error("the stream that has waited longest was kept")
		}
	}
	s.CutAll("test")
	if n := len(waiting()); n != 0 {
		t.Errorf("%d streams wait after all were cut off", n)
	}
}

// One that takes its file, whose end is marked, and then never says that it has it does not hold the log for ever.
func TestSilentAfterTheFile(t *testing.T) {
	t.Parallel()
	s := newSource(t, Settings{Timeout: 50 * time.Millisecond, Backlog: 1 << 20}, mutants{})
	here, there := net.Pipe()
	defer here.Close()
	go func() { _, _ = io.Copy(io.Discard, here) }()
	served := make(chan struct{})
	go func() {
		defer close(served)
		s.Serve(Request{Peer: Peer{EOF: true}, Conn: there, In: &resp.Reader{}, Addr: "127.0.0.1:1", Partial: true, ID: "?", Stop: make(chan struct{})})
	}()
	select {
	case <-served:
	case <-time.After(time.Minute):
		t.Fatal("it is served still")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.streams) != 0 {
		t.Errorf("%d streams wait for one that did not get its copy", len(s.streams))
	}
}
